/** What the tests of formats share: fixtures, temporary directories, one-line errors. @module */

import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";

/** The path of a fixture of this area. */
export function fixture(name: string): string {
  return decodeURIComponent(new URL(`../fixtures/formats/${name}`, import.meta.url).pathname);
}

/** A directory that is removed at the end of the scope. */
export function temporaryDirectory(): { path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "vitrail-formats-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** The names in a directory, sorted: shows whether a temporary file was left. */
export function listNames(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map((entry) => entry.name).sort();
}

/** Asserts that an error is a VitrailError on one line, with these words in it. */
export function assertFault(error: unknown, words: string | RegExp): void {
  assert.ok(error instanceof VitrailError, `wanted a VitrailError, got ${error}`);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(error.message, /[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
  assert.ok(error.message.length < 600, `a message of ${error.message.length} characters`);
  if (typeof words === "string") assert.ok(error.message.includes(words), error.message);
  else assert.match(error.message, words);
}

/** Asserts that a call throws a VitrailError on one line, with these words in it. */
export function assertThrowsFault(call: () => unknown, words: string | RegExp): void {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    assertFault(error, words);
    return;
  }
  assert.fail(`wanted a fault with ${words}, got ${result}`);
}

/** The bytes of a safetensors file with this header, given as text or as an object. */
export function safetensorsBytes(
  header: unknown,
  options: { data?: number; claimed?: bigint } = {},
): Uint8Array {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + json.byteLength + (options.data ?? 0));
  new DataView(bytes.buffer).setBigUint64(0, options.claimed ?? BigInt(json.byteLength), true);
  bytes.set(json, 8);
  return bytes;
}
