/**
 * What the fuzzer calls a reader, and how its files are made.
 *
 * @module
 */
import type { Kind } from "./mutate.ts";

/** A reader and what it reads. */
export interface Reader {
  name: string;
  /** The files of its directory; those with a kind are damaged, one at a time. */
  files: Record<string, { bytes: Uint8Array; kind?: Kind }>;
  /** Reads the directory; what it returns that is not undefined is a complaint about what it accepted. */
  read: (directory: string) => unknown | Promise<unknown>;
}

export const ROOT = new URL("../../", import.meta.url);
export const utf8 = new TextEncoder();
export const fixture = (path: string): Uint8Array =>
  Deno.readFileSync(new URL(`tests/fixtures/${path}`, ROOT));

export type Contents = string | Uint8Array | object;
const bytesOf = (contents: Contents): Uint8Array =>
  contents instanceof Uint8Array
    ? contents
    : utf8.encode(typeof contents === "string" ? contents : JSON.stringify(contents));

function kindOf(name: string): Kind {
  if (name.endsWith(".json")) return "json";
  if (name.endsWith(".jsonl")) return "jsonl";
  if (name.endsWith(".safetensors")) return "safetensors";
  return /\.bin$|tfevents/.test(name) ? "binary" : "text";
}

/** Files that are all damaged in turn, but for those of `still`. */
export function files(
  contents: Record<string, Contents>,
  still: readonly string[] = [],
): Reader["files"] {
  return Object.fromEntries(
    Object.entries(contents).map(([name, value]) => [
      name,
      { bytes: bytesOf(value), ...still.includes(name) ? {} : { kind: kindOf(name) } },
    ]),
  );
}

/** The bytes of files that something writes into a directory. */
export async function written(
  make: (directory: string) => unknown,
): Promise<Record<string, Uint8Array>> {
  const directory = Deno.makeTempDirSync();
  await make(directory);
  const found = [...Deno.readDirSync(directory)].map(({ name }) => [
    name,
    Deno.readFileSync(`${directory}/${name}`),
  ]);
  Deno.removeSync(directory, { recursive: true });
  return Object.fromEntries(found);
}
