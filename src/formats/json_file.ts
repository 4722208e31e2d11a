/** Reading a JSON file that a user named, with faults in plain words. @module */

import { VitrailError } from "../errors.ts";
import { checkValue, mapOf, type Rule } from "./json_rules.ts";
import { escapeControls, showPath } from "./messages.ts";
import { readSmallFile } from "./text_file.ts";

/** More than any configuration or shard index holds; a larger file is the wrong file. */
const LARGEST_JSON_BYTES = 100_000_000;

/** Nesting of objects and lists that no file of ours or of Hugging Face comes near. */
const DEEPEST = 64;

const utf8 = new TextDecoder("utf-8", { fatal: true });

const plainObject: Rule<Record<string, unknown>> = mapOf({ wanted: "", holds: () => true }, {
  wanted: "a JSON object { … }",
});

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
  return readJson(path, plainObject, options);
}

/**
 * Reads a JSON file whose values are all checked before any is used.
 *
 * @param rule what it must hold
 * @param options.wanted what the file should be, for the error when it is missing
 * @throws {VitrailError} when the file is missing, too large, not UTF-8 or not JSON, is nested too
 * deep, or holds a value that breaks the rule; the message names its place
 *
 * @example
 * ```ts
 * import { readJson } from "./json_file.ts";
 * import { count, object } from "./json_rules.ts";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeTextFileSync(path, '{ "n_layer": 3 }');
 * console.log(readJson(path, object({ n_layer: count })).n_layer); // 3
 * ```
 */
export function readJson<T>(
  path: string | URL,
  rule: Rule<T>,
  options: { wanted?: string } = {},
): T {
  const bytes = readSmallFile(path, { ...options, most: LARGEST_JSON_BYTES });
  return parseJson(bytes, rule, { shown: showPath(path) });
}

/**
 * The JSON object that a text or its bytes hold.
 *
 * @param shown what to call it in errors
 * @throws {VitrailError} when it is not UTF-8 or not a JSON object
 */
export function parseJsonObject(text: string | Uint8Array, shown: string): Record<string, unknown> {
  return parseJson(text, plainObject, { shown });
}

/**
 * What a JSON text or its bytes hold, checked.
 *
 * @param options.shown what to call it in errors, behind "Cannot read"
 * @param options.fault makes the error itself, from one line that says what is wrong
 * @throws {VitrailError} as {@linkcode readJson}, unless `fault` makes others
 */
export function parseJson<T>(
  content: string | Uint8Array,
  rule: Rule<T>,
  options: { shown?: string; fault?: (reason: string, cause?: unknown) => Error } = {},
): T {
  const {
    shown = "this JSON",
    fault = (reason, cause) =>
      new VitrailError(`Cannot read ${shown}: ${reason}`, cause === undefined ? {} : { cause }),
  } = options;
  let value: unknown;
  try {
    const text = typeof content === "string" ? content : utf8.decode(content);
    if (!isNestedDeeper(text, DEEPEST)) value = JSON.parse(text);
  } catch (error) {
    // V8 quotes the text, which may hold anything.
    const words = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ");
    throw fault(`it is not valid JSON (${escapeControls(words)})`, error);
  }
  if (value === undefined) {
    throw fault(`it is nested more than ${DEEPEST} deep, wanted a file that is not damaged`);
  }
  return checkValue(value, rule, { fault });
}

/**
 * The object of one line of JSONL.
 *
 * @param fault makes the error from what is wrong with the line, such as "is not JSON"
 */
export function parseJsonLine(
  line: string,
  fault: (reason: string) => Error,
): Record<string, unknown> {
  return parseJson(line, plainObject, {
    fault: (reason) =>
      fault(reason.startsWith("it is not valid") ? "is not JSON" : reason.replace(/^it /, "")),
  });
}

/**
 * Whether brackets of a JSON text are nested deeper than `limit`. Looked at before parsing: a value
 * that deep takes many times the memory of its text, and no recursion survives it.
 */
function isNestedDeeper(text: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      do {
        i = text.indexOf('"', i + 1);
        if (i < 0) return false;
      } while (isEscaped(text, i));
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > limit) return true;
    } else if (code === 0x5d || code === 0x7d) {
      depth--;
    }
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (at - first) % 2 === 1;
}
