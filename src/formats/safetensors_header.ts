/** The header of a safetensors file: parsed, and distrusted until every offset is checked. @module */

import {
  isSafetensorsDtype,
  type SafetensorsDtype,
  tensorByteLength,
} from "./safetensors_dtypes.ts";
import { parseJson } from "./json_file.ts";
import { anything, mapOf } from "./json_rules.ts";
import { quoteName, quoteValue } from "./messages.ts";

/** What the header says of one tensor. */
export interface TensorInfo {
  /** The element type, as spelled in the file. */
  readonly dtype: SafetensorsDtype;
  /** Sizes from the slowest dimension to the fastest; empty for a scalar. */
  readonly shape: readonly number[];
  /** Bytes that the tensor takes in the file. */
  readonly byteLength: number;
}

/** A tensor's place, counted from the first byte after the header. */
export interface TensorPlace extends TensorInfo {
  /** The first byte of the tensor. */
  readonly start: number;
}

/** A parsed and checked header. */
export interface SafetensorsHeader {
  /** Tensors by name, in the order of their bytes in the file. */
  readonly tensors: ReadonlyMap<string, TensorPlace>;
  /** Free text entries of `__metadata__`. */
  readonly metadata: Record<string, string>;
}

/** The longest header that the format allows, in bytes. */
export const LARGEST_HEADER_BYTES = 100_000_000;

/**
 * Parses a header and checks it against the size of the data that follows it: every byte belongs to
 * exactly one tensor, and every tensor's bytes match its shape and type.
 *
 * @param bytes the JSON, without the eight bytes of its length
 * @param options.dataByteLength bytes in the file after the header
 * @param options.fault makes the error to throw from one line that says what is wrong
 *
 * @example
 * ```ts
 * import { parseSafetensorsHeader } from "./safetensors_header.ts";
 *
 * const json = '{"bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}';
 * const { tensors } = parseSafetensorsHeader(new TextEncoder().encode(json), {
 *   dataByteLength: 12,
 *   fault: (reason) => new Error(reason),
 * });
 * console.log(tensors.get("bias")?.shape); // [3]
 * ```
 */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  options: { dataByteLength: number; fault: (reason: string) => Error },
): SafetensorsHeader {
  const { dataByteLength, fault } = options;
  const root = parseObject(bytes, fault);
  const metadata = checkMetadata(root["__metadata__"], fault);
  const places: [string, TensorPlace][] = [];
  for (const [name, entry] of Object.entries(root)) {
    if (name !== "__metadata__") places.push([name, checkEntry(name, { entry, fault })]);
  }
  places.sort(([, a], [, b]) => a.start - b.start || a.byteLength - b.byteLength);
  let end = 0;
  for (const [name, { start, byteLength }] of places) {
    if (start !== end) {
      const what = start < end ? "overlaps the tensor before it" : "leaves a hole before it";
      throw fault(`tensor ${quoteName(name)} starts at byte ${start}, wanted ${end}: it ${what}`);
    }
    end = start + byteLength;
    if (end > dataByteLength) {
      throw fault(
        `tensor ${quoteName(name)} ends at byte ${end} of the data, but the file has only ` +
          `${dataByteLength}; it is cut short, fetch or save it again`,
      );
    }
  }
  if (end !== dataByteLength) {
    throw fault(`its tensors take ${end} bytes, but ${dataByteLength} follow the header`);
  }
  return { tensors: new Map(places), metadata };
}

function parseObject(bytes: Uint8Array, fault: (reason: string) => Error): Record<string, unknown> {
  let text: string;
  try {
    // A byte-order mark stays in the text, so that the check of the first character refuses it.
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw fault("its header is not UTF-8 text");
  }
  if (text[0] !== "{") throw fault("its header does not begin with {");
  const root = parseJson(text, mapOf(anything), {
    fault: (reason) =>
      fault(
        reason.startsWith("it is not valid")
          ? "its header is not valid JSON"
          : reason.replace(/^it /, "its header "),
      ),
  });
  if (hasLoneSurrogate(text)) throw fault("its header holds half a character, as \\ud800 is one");
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw fault(`its header holds ${quoteName(duplicate)} twice`);
  return root;
}

/** Whether a name or another text of valid JSON is not Unicode: other readers refuse it. */
function hasLoneSurrogate(json: string): boolean {
  if (!/\\u[dD][89a-fA-F]/.test(json)) return false;
  let found = false;
  JSON.parse(json, (key, value) => {
    found ||= !key.isWellFormed() || (typeof value === "string" && !value.isWellFormed());
    return value;
  });
  return found;
}

/**
 * The first key that an object of the two outer levels holds twice. `JSON.parse` keeps the last of
 * them in silence, and two readers could then see two different tensors.
 */
function findDuplicateKey(text: string): string | undefined {
  const keysAtDepth: Set<string>[] = [];
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === "{" || character === "[") {
      depth++;
      if (depth <= 2) keysAtDepth[depth] = new Set();
    } else if (character === "}" || character === "]") {
      depth--;
    } else if (character === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      if (depth > 2) continue;
      let next = i + 1;
      while (" \t\r\n".includes(text[next])) next++;
      if (text[next] !== ":") continue;
      const key: string = JSON.parse(text.slice(start, i + 1));
      if (keysAtDepth[depth].has(key)) return key;
      keysAtDepth[depth].add(key);
    }
  }
  return undefined;
}

function checkMetadata(
  value: unknown,
  fault: (reason: string) => Error,
): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw fault(`__metadata__ is ${quoteValue(value)}, wanted an object`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      throw fault(`__metadata__ ${quoteName(key)} is ${quoteValue(text)}, wanted a string`);
    }
  }
  return value as Record<string, string>;
}

function checkEntry(
  name: string,
  options: { entry: unknown; fault: (reason: string) => Error },
): TensorPlace {
  const { entry } = options;
  const fault = (reason: string): Error => options.fault(`tensor ${quoteName(name)} ${reason}`);
  if (!isObject(entry)) throw fault(`is ${quoteValue(entry)}, wanted an object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isSafetensorsDtype(dtype)) {
    throw fault(`has dtype ${quoteValue(dtype)}, wanted one such as F32, F16, BF16 or I64`);
  }
  if (!isCountArray(shape)) {
    throw fault(`has shape ${quoteValue(shape)}, wanted a list of whole numbers from 0`);
  }
  if (!isCountArray(offsets) || offsets.length !== 2) {
    throw fault(`has data_offsets ${quoteValue(offsets)}, wanted two whole numbers from 0`);
  }
  const [start, end] = offsets;
  if (end < start) throw fault(`ends at byte ${end}, before its start at ${start}`);
  const byteLength = tensorByteLength(dtype, shape);
  if (byteLength === undefined) {
    throw fault(`has shape ${quoteValue(shape)}, which is no countable number of ${dtype} bytes`);
  }
  if (end - start !== byteLength) {
    throw fault(
      `takes ${end - start} bytes, but ${dtype} of shape ${quoteValue(shape)} needs ${byteLength}`,
    );
  }
  return Object.freeze({ dtype, shape: Object.freeze(shape), byteLength, start });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCountArray(value: unknown): value is number[] {
  return Array.isArray(value) &&
    value.every((item) => Number.isSafeInteger(item) && item >= 0 && !Object.is(item, -0));
}
