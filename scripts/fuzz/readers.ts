/**
 * Every reader of files, each with a directory that it can read: what the fuzzer damages.
 *
 * @module
 */
import { modelReaders } from "./model_readers.ts";
import type { Reader } from "./reader.ts";
import { runReaders } from "./run_readers.ts";
import { textReaders } from "./text_readers.ts";

/** All readers. */
export async function readers(): Promise<Reader[]> {
  return [...await modelReaders(), ...await runReaders(), ...textReaders()];
}
