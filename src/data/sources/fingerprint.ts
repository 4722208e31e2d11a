/**
 * Whether text and tokenizer are still those that tokens were made of.
 *
 * @module
 */
import { CORPORA, corpusFiles } from "./corpora.ts";
import { filesOf, isCorpus } from "./documents.ts";

/** What is known of a source without reading its text. */
export interface SourceState {
  /** Bytes in all; of a corpus, bytes of its files. */
  bytes: number;
  /** Differs if a file was added, removed, moved or written to; absent for standard input. */
  state?: string;
}

/**
 * Looks at a source: the version of a corpus, or path, size and time of each file.
 *
 * @throws {VitrailError} if there is no such source
 */
export async function sourceState(source: string): Promise<SourceState> {
  if (source === "-") return { bytes: 0 };
  if (isCorpus(source)) {
    const files = await corpusFiles(source);
    const sizes = files.map((file) => Deno.statSync(file).size);
    return { bytes: sizes.reduce((sum, size) => sum + size, 0), state: CORPORA[source].package };
  }
  let bytes = 0;
  const files: unknown[] = [];
  for await (const { path, info } of filesOf(source)) {
    bytes += info.size;
    files.push([await Deno.realPath(path), info.size, info.mtime?.getTime() ?? null]);
  }
  return { bytes, state: await hash(files) };
}

/** SHA-256 of a value's JSON, in hexadecimal. */
export async function hash(value: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
