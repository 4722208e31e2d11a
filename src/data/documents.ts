/**
 * Where text comes from: files, folders, JSONL, standard input and named corpora.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { CORPORA, corpusDocuments } from "./corpora.ts";

/** One text that belongs together. */
export interface Document {
  /** Where it is from. */
  id: string;
  /** Its text. */
  text: string;
}

/** How sources are read. */
export interface DocumentOptions {
  /** Field of a JSONL record that holds the text. */
  textField?: string;
}

/** Bytes of one document of a large text, about: it is cut at the next blank line. */
const DOCUMENT_BYTES = 1 << 16;

/**
 * The documents of a source: the name of a corpus (`brown`, `moby-dick`, `state-of-the-union`), `-` for
 * standard input, a folder (its files, in order of their names), a `.jsonl` file (a record each), or a
 * text file. A text over 64 KiB becomes several documents, cut at blank lines.
 *
 * @throws {VitrailError} if the source is missing, empty or no UTF-8 text.
 */
export async function* readDocuments(
  source: string,
  options: DocumentOptions = {},
): AsyncGenerator<Document> {
  if (source in CORPORA) return yield* corpusDocuments(source);
  if (source === "-") return yield* split("standard input", Deno.stdin.readable);
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(source);
  } catch {
    throw new VitrailError(
      `Cannot read ${source}: there is no such file or folder; wanted a path, - for standard input, ` +
        `or a corpus: ${Object.keys(CORPORA).join(", ")}`,
    );
  }
  if (info.isDirectory) {
    const entries = await Array.fromAsync(Deno.readDir(source));
    for (const { name } of entries.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
      if (!name.startsWith(".")) yield* readDocuments(`${source}/${name}`, options);
    }
  } else if (/\.(jsonl|ndjson)$/.test(source)) {
    yield* records(source, options.textField ?? "text");
  } else {
    using file = await Deno.open(source);
    yield* split(source, file.readable);
  }
}

async function* decoded(name: string, stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const text = (bytes?: Uint8Array): string => {
    try {
      const out = bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
      if (!out.includes("\0")) return out;
    } catch { /* said below */ }
    throw new VitrailError(
      `Cannot read ${name}: it is not UTF-8 text; give a text file, or convert it first`,
    );
  };
  for await (const bytes of stream) yield text(bytes);
  yield text();
}

async function* split(name: string, stream: ReadableStream<Uint8Array>): AsyncGenerator<Document> {
  let pending = "";
  let count = 0;
  const next = (text: string): Document => ({ id: `${name}#${count++}`, text });
  for await (const piece of decoded(name, stream)) {
    pending += piece.replaceAll("\r\n", "\n");
    while (pending.length > DOCUMENT_BYTES) {
      const cut = pending.indexOf("\n\n", DOCUMENT_BYTES);
      if (cut < 0) break;
      yield next(pending.slice(0, cut + 2));
      pending = pending.slice(cut + 2);
    }
  }
  if (pending !== "") yield next(pending);
}

async function* records(path: string, field: string): AsyncGenerator<Document> {
  using file = await Deno.open(path);
  let pending = "";
  let line = 0;
  const parse = (text: string): Document | undefined => {
    line++;
    if (text.trim() === "") return undefined;
    let found: unknown;
    try {
      found = (JSON.parse(text) as Record<string, unknown>)?.[field];
    } catch {
      throw new VitrailError(`Cannot read ${path}: line ${line} is not JSON`);
    }
    if (typeof found !== "string") {
      throw new VitrailError(
        `Cannot read ${path}: line ${line} has no text in "${field}"; name the field with --text-field`,
      );
    }
    return { id: `${path}:${line}`, text: found };
  };
  for await (const piece of decoded(path, file.readable)) {
    const lines = (pending + piece).split("\n");
    pending = lines.pop()!;
    for (const text of lines) {
      const document = parse(text);
      if (document) yield document;
    }
  }
  const document = parse(pending);
  if (document) yield document;
}
