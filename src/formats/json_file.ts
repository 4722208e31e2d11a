/** Reading a JSON file that a user named, with faults in plain words. @module */

import { VitrailError } from "../errors.ts";
import { describeIoError, quoteValue, showPath } from "./messages.ts";

/** More than any configuration or shard index holds; a larger file is the wrong file. */
const LARGEST_JSON_BYTES = 100_000_000;

/**
 * Reads a file that holds one JSON object.
 *
 * @param options.wanted what the file should be, for the error when it is missing
 * @returns the parsed object; nothing in it is checked
 * @throws {VitrailError} when the file is missing, too large, not UTF-8 or not a JSON object
 *
 * @example
 * ```ts
 * import { readJsonObject } from "./json_file.ts";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeTextFileSync(path, '{ "n_layer": 3 }');
 * console.log(readJsonObject(path).n_layer); // 3
 * ```
 */
export function readJsonObject(
  path: string | URL,
  options: { wanted?: string } = {},
): Record<string, unknown> {
  const shown = showPath(path);
  let bytes: Uint8Array;
  try {
    const { isFile, size } = Deno.statSync(path);
    if (!isFile) throw new VitrailError(`Cannot read ${shown}: it is not a file, wanted JSON`);
    if (size > LARGEST_JSON_BYTES) {
      throw new VitrailError(
        `Cannot read ${shown}: ${size} bytes, wanted at most ${LARGEST_JSON_BYTES}`,
      );
    }
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof VitrailError) throw error;
    const wanted = options.wanted === undefined ? "" : `; wanted ${options.wanted}`;
    throw new VitrailError(`Cannot read ${shown}: ${describeIoError(error)}${wanted}`, {
      cause: error,
    });
  }
  return parseJsonObject(bytes, shown);
}

/**
 * The JSON object that a text or its bytes hold.
 *
 * @param shown what to call it in errors
 * @throws {VitrailError} when it is not UTF-8 or not a JSON object
 */
export function parseJsonObject(text: string | Uint8Array, shown: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(
      typeof text === "string" ? text : new TextDecoder("utf-8", { fatal: true }).decode(text),
    );
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ");
    throw new VitrailError(`Cannot read ${shown}: it is not valid JSON (${reason})`, {
      cause: error,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new VitrailError(
      `Cannot read ${shown}: it holds ${quoteValue(value)}, wanted a JSON object { … }`,
    );
  }
  return value as Record<string, unknown>;
}
