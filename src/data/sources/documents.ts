/**
 * Where text comes from: files, folders, JSONL, standard input and named corpora.
 *
 * @module
 */
import type { Document } from "./document.ts";
import { VitrailError } from "../../errors.ts";
import { parseJsonLine } from "../../formats/json_file.ts";
import { describeIoError, quoteName, showPath } from "../../formats/messages.ts";
import { CORPORA, corpusDocuments } from "./corpora.ts";
import { decoded, parts, withPlainLines } from "./text_stream.ts";

export type { Document };

/** How sources are read. */
export interface DocumentOptions {
  /** Field of a JSONL record that holds the text. */
  textField?: string;
}

/** The longest record: what is longer is no JSONL. */
const LONGEST_RECORD = 1 << 28;

/** Whether a source is the name of a corpus. */
export function isCorpus(source: string): boolean {
  return Object.hasOwn(CORPORA, source);
}

/** Whether a file is read as JSONL. */
const isJsonLines = (path: string): boolean => /\.(jsonl|ndjson)$/.test(path);

/**
 * The documents of a source: the name of a corpus (`brown`, `moby-dick`, `state-of-the-union`), `-` for
 * standard input, a folder (its files, in order of their names), a `.jsonl` file (a record each), or a
 * text file. A text over 64 KiB becomes several documents, cut at blank lines. Texts are streamed: no
 * file is held whole.
 *
 * @throws {VitrailError} if the source is missing, empty or no UTF-8 text.
 */
export async function* readDocuments(
  source: string,
  options: DocumentOptions = {},
): AsyncGenerator<Document> {
  let empty = true;
  for await (const document of documentsOf(source, options)) {
    if (document.text.trim() === "") continue;
    empty = false;
    yield document;
  }
  if (empty) {
    const name = source === "-" ? "standard input" : showPath(source);
    throw new VitrailError(`Cannot use ${name}: it holds no text; give a text with words in it`);
  }
}

async function* documentsOf(source: string, options: DocumentOptions): AsyncGenerator<Document> {
  if (isCorpus(source)) return yield* corpusDocuments(source);
  if (source === "-") return yield* textParts("standard input", Deno.stdin.readable);
  for await (const { path, inFolder } of filesOf(source)) {
    // A stream that is read to its end, or left early, closes its file.
    const { readable } = await open(path);
    if (isJsonLines(path)) yield* records(path, readable, options.textField ?? "text");
    else yield* textParts(path, readable, inFolder);
  }
}

/**
 * The files of a source that is a path, in the order in which they are read. Hidden files are left
 * out.
 *
 * @throws {VitrailError} if there is no such path
 */
export async function* filesOf(
  source: string,
  inFolder = false,
): AsyncGenerator<{ path: string; info: Deno.FileInfo; inFolder: boolean }> {
  let info: Deno.FileInfo;
  let entries: Deno.DirEntry[] = [];
  try {
    info = await Deno.stat(source);
    if (info.isDirectory) entries = await Array.fromAsync(Deno.readDir(source));
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "there is no such file or folder; wanted a path, - for standard input, or a corpus: " +
        Object.keys(CORPORA).join(", ")
      : describeIoError(cause);
    throw new VitrailError(`Cannot read ${showPath(source)}: ${reason}`, { cause });
  }
  if (!info.isDirectory) return yield { path: source, info, inFolder };
  for (const { name } of entries.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
    if (!name.startsWith(".")) yield* filesOf(`${source}/${name}`, true);
  }
}

async function open(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (cause) {
    throw new VitrailError(`Cannot read ${showPath(path)}: ${describeIoError(cause)}`, { cause });
  }
}

async function* textParts(
  name: string,
  stream: ReadableStream<Uint8Array>,
  together = false,
): AsyncGenerator<Document> {
  let count = 0;
  let group: string | undefined;
  for await (const text of parts(withPlainLines(decoded(showPath(name), stream)))) {
    if (together) group ??= text;
    yield { id: `${name}#${count++}`, text, group };
  }
}

async function* records(
  path: string,
  stream: ReadableStream<Uint8Array>,
  field: string,
): AsyncGenerator<Document> {
  const refuse = (reason: string): VitrailError =>
    new VitrailError(`Cannot read ${showPath(path)}: line ${line} ${reason}`);
  let line = 0;
  const parse = (text: string): Document | undefined => {
    if (text.trim() === "") return undefined;
    const found =
      parseJsonLine(text, (reason) => refuse(`${reason}; wanted one record a line`))[field];
    if (typeof found !== "string") {
      throw refuse(`has no text in ${quoteName(field)}; name the field with --text-field`);
    }
    return { id: `${path}:${line}`, text: found };
  };
  let pending: string[] = [];
  let length = 0;
  for await (const piece of decoded(showPath(path), stream)) {
    const lines = piece.split("\n");
    for (const [i, text] of lines.entries()) {
      if (i > 0) {
        line++;
        const document = parse(pending.join(""));
        if (document) yield document;
        pending = [];
        length = 0;
      }
      pending.push(text);
      length += text.length;
      if (length > LONGEST_RECORD) {
        line++;
        throw refuse(`is longer than ${LONGEST_RECORD} characters; wanted one record a line`);
      }
    }
  }
  line++;
  const document = parse(pending.join(""));
  if (document) yield document;
}
