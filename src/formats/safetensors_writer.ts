/** Writing safetensors files: streamed, deterministic, whole or not at all. @module */

import { VitrailError } from "../errors.ts";
import { AtomicFile } from "./atomic_file.ts";
import { quoteName, quoteValue, showPath } from "./messages.ts";
import { tensorByteLength } from "./safetensors_dtypes.ts";
import { LARGEST_HEADER_BYTES } from "./safetensors_header.ts";

/** The element types that Vitrail writes; those of two bytes as their bits. */
export type WritableDtype = "F32" | "U32" | "I32" | "BF16" | "F16";

/** The elements of a tensor, rows first, or its little-endian bytes. */
export type TensorData = Float32Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

/** A tensor to be written. */
export interface TensorToWrite {
  /** Its name in the file. */
  name: string;
  /** Sizes from the slowest dimension to the fastest; empty for a scalar. */
  shape: readonly number[];
  /** The element type. */
  dtype: WritableDtype;
  /**
   * The elements, or a function that gives them. It is called once, when the tensor's turn to be
   * written comes, so that only one tensor need be in memory; it may read back from a GPU and return
   * a promise.
   */
  data: TensorData | (() => TensorData | Promise<TensorData>);
}

const kinds: Record<WritableDtype, string> = {
  F32: "Float32Array",
  U32: "Uint32Array",
  I32: "Int32Array",
  BF16: "Uint16Array",
  F16: "Uint16Array",
};

/** Largest alignment first, then by name: the order in which Python's safetensors writes. */
const rank: Record<WritableDtype, number> = { F32: 0, U32: 1, I32: 2, BF16: 3, F16: 4 };

/**
 * Writes a safetensors file. Equal tensors and metadata give equal bytes, in whatever order they
 * come: tensors are sorted by type and name, metadata by key.
 *
 * @param path where the file goes; its directory must exist. An older file is replaced at the end,
 * and untouched if anything fails
 * @param tensors the tensors, with distinct names
 * @param options.metadata free text entries, for example `{ format: "pt" }`, which Hugging Face's
 * loaders ask for
 * @throws {VitrailError} when a tensor's data does not fit its shape and type, or when the file
 * cannot be written
 *
 * @example
 * ```ts
 * import { writeSafetensors } from "./safetensors_writer.ts";
 *
 * const path = `${Deno.makeTempDirSync()}/model.safetensors`;
 * await writeSafetensors(path, [
 *   { name: "ln_f.weight", shape: [29], dtype: "F32", data: () => new Float32Array(29).fill(1) },
 * ], { metadata: { format: "pt" } });
 * ```
 */
export async function writeSafetensors(
  path: string | URL,
  tensors: Iterable<TensorToWrite>,
  options: { metadata?: Record<string, string> } = {},
): Promise<void> {
  const shown = showPath(path);
  const fault = (reason: string): VitrailError =>
    new VitrailError(`Cannot write ${shown}: ${reason}`);
  const sorted = [...tensors].sort((a, b) =>
    rank[a.dtype] - rank[b.dtype] || compareCodePoints(a.name, b.name)
  );
  const lengths = sorted.map((tensor) => checkTensor(tensor, fault));
  const header = encodeHeader(sorted, { lengths, metadata: options.metadata ?? {}, fault });

  using file = new AtomicFile(path);
  file.write(header);
  for (const [index, { name, dtype, data }] of sorted.entries()) {
    const given = typeof data === "function" ? data() : data;
    const elements = given instanceof Promise ? await given : given;
    file.write(toBytes(elements, { name, dtype, byteLength: lengths[index], fault }));
  }
  file.commit();
}

/** Returns the byte length that the shape asks for. Data at hand is checked before a file exists. */
function checkTensor(tensor: TensorToWrite, fault: (reason: string) => VitrailError): number {
  const { name, dtype, shape, data } = tensor;
  const quoted = quoteName(name);
  if (name === "__metadata__" || !name.isWellFormed()) {
    throw fault(`a tensor is named ${quoted}, which the format does not allow; rename it`);
  }
  if (!Object.hasOwn(kinds, dtype)) {
    throw fault(
      `tensor ${quoted} has dtype ${quoteValue(dtype)}, wanted F32, U32, I32, BF16 or F16`,
    );
  }
  const countable = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  const byteLength = countable ? tensorByteLength(dtype, shape) : undefined;
  if (byteLength === undefined) {
    throw fault(`tensor ${quoted} has shape ${quoteValue(shape)}, wanted whole numbers from 0`);
  }
  if (typeof data !== "function") toBytes(data, { name, dtype, byteLength, fault });
  return byteLength;
}

function encodeHeader(
  tensors: readonly TensorToWrite[],
  options: {
    lengths: readonly number[];
    metadata: Record<string, string>;
    fault: (reason: string) => VitrailError;
  },
): Uint8Array {
  const { lengths, fault } = options;
  // Put together by hand: an object would move names that look like whole numbers to its front.
  const entries: string[] = [];
  const metadata = Object.entries(options.metadata).sort(([a], [b]) => compareCodePoints(a, b));
  if (metadata.length > 0) {
    const pairs = metadata.map(([key, value]) => {
      if (typeof value !== "string" || !key.isWellFormed() || !value.isWellFormed()) {
        throw fault(`metadata ${quoteName(key)} is ${quoteValue(value)}, wanted Unicode text`);
      }
      return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
    });
    entries.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  const names = new Set<string>();
  let offset = 0;
  for (const [index, { name, dtype, shape }] of tensors.entries()) {
    if (names.has(name)) throw fault(`two tensors are named ${quoteName(name)}; rename one`);
    names.add(name);
    const end = offset + lengths[index];
    entries.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],` +
        `"data_offsets":[${offset},${end}]}`,
    );
    offset = end;
  }
  if (!Number.isSafeInteger(offset)) throw fault("its tensors take more bytes than can be counted");

  const json = new TextEncoder().encode(`{${entries.join(",")}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8;
  if (padded > LARGEST_HEADER_BYTES) {
    throw fault(`its header takes ${padded} bytes, wanted at most ${LARGEST_HEADER_BYTES}`);
  }
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}

function toBytes(
  data: TensorData,
  options: {
    name: string;
    dtype: WritableDtype;
    byteLength: number;
    fault: (reason: string) => VitrailError;
  },
): Uint8Array {
  const { name, dtype, byteLength, fault } = options;
  const kind = Object.prototype.toString.call(data).slice(8, -1);
  if (kind !== "Uint8Array" && kind !== kinds[dtype]) {
    throw fault(
      `tensor ${quoteName(name)} is ${dtype} but its data is ${kind}, ` +
        `wanted ${kinds[dtype]}, or its bytes in a Uint8Array`,
    );
  }
  if (data.byteLength !== byteLength) {
    throw fault(
      `tensor ${quoteName(name)} has ${data.byteLength} bytes of data, ` +
        `but its shape needs ${byteLength}`,
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Orders as UTF-8 bytes do; comparing strings directly would order some rare characters otherwise. */
function compareCodePoints(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a[i] === b[i]) i++;
  const x = a.codePointAt(i) ?? -1;
  const y = b.codePointAt(i) ?? -1;
  return x - y;
}
