/** Reading safetensors files, one tensor at a time. @module */

import { VitrailError } from "../errors.ts";
import { describeIoError, quoteName, showPath } from "./messages.ts";
import { convertToFloat32, isFloatDtype } from "./safetensors_dtypes.ts";
import {
  LARGEST_HEADER_BYTES,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type TensorInfo,
  type TensorPlace,
} from "./safetensors_header.ts";

/** Tensors by name, in one file or in several. Must be closed; `using` does that. */
export interface SafetensorsFile extends Disposable {
  /** The names of the tensors, in the order of their bytes in the file. */
  readonly names: readonly string[];
  /** Free text entries that the writer left. */
  readonly metadata: Record<string, string>;
  /** Whether a tensor of this name is there. */
  has(name: string): boolean;
  /** What is known of a tensor without reading it. Throws a VitrailError for an unknown name. */
  info(name: string): TensorInfo;
  /**
   * Reads a tensor as 32-bit floats, rows first. F16, BF16 and F64 are converted. Throws a
   * VitrailError for an unknown name, or a tensor of integers: use `readRaw` for those.
   */
  read(name: string): Float32Array<ArrayBuffer>;
  /**
   * Reads the bytes of a tensor, little-endian, into a buffer of their own: at offset 0, so that
   * `new Uint32Array(raw.buffer)` is always aligned.
   */
  readRaw(name: string): Uint8Array<ArrayBuffer>;
  /** Closes the file. No tensor can be read after it. */
  close(): void;
}

/** Converted in pieces of this size, so that two whole copies of a tensor never exist at once. */
const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Opens a safetensors file, reads its header and checks all of it. Tensors are read when asked for.
 *
 * @throws {VitrailError} when the file is missing, cut short, damaged, or not a safetensors file
 *
 * @example
 * ```ts
 * import { openSafetensors, writeSafetensors } from "./safetensors.ts";
 *
 * const path = `${Deno.makeTempDirSync()}/model.safetensors`;
 * await writeSafetensors(path, [
 *   { name: "bias", shape: [3], dtype: "F32", data: new Float32Array([1, 2, 3]) },
 * ]);
 * using file = openSafetensors(path);
 * console.log(file.names, file.info("bias").shape, file.read("bias"));
 * ```
 */
export function openSafetensors(path: string | URL): SafetensorsFile {
  const shown = showPath(path);
  const fault = (reason: string): VitrailError =>
    new VitrailError(`Cannot read ${shown}: ${reason}`);
  let file: Deno.FsFile;
  try {
    // Asked before opening: opening a pipe would wait for a writer for ever.
    if (!Deno.statSync(path).isFile) throw fault("it is not a file, wanted a safetensors file");
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    throw error instanceof VitrailError ? error : fault(describeIoError(error));
  }
  try {
    const { header, dataStart } = readHeader(file, fault);
    return new OpenFile(file, { header, dataStart, fault });
  } catch (error) {
    file.close();
    throw error;
  }
}

function readHeader(
  file: Deno.FsFile,
  fault: (reason: string) => VitrailError,
): { header: SafetensorsHeader; dataStart: number } {
  const { size } = file.statSync();
  if (size < 8) throw fault(`it has ${size} bytes, wanted a safetensors file of at least 10`);
  const prefix = new Uint8Array(8);
  readAt(file, { offset: 0, into: prefix, fault });
  if (new TextDecoder().decode(prefix) === "version ") {
    throw fault("it is a Git LFS pointer, not the weights; run `git lfs pull` there");
  }
  const claimed = new DataView(prefix.buffer).getBigUint64(0, true);
  if (claimed > BigInt(LARGEST_HEADER_BYTES)) {
    throw fault(
      `its header claims ${claimed} bytes, wanted at most ${LARGEST_HEADER_BYTES}; ` +
        "it is damaged or not a safetensors file",
    );
  }
  const dataStart = 8 + Number(claimed);
  if (dataStart > size) {
    throw fault(
      `its header claims ${claimed} bytes, but the file has only ${size}; ` +
        "it is cut short or not a safetensors file",
    );
  }
  const bytes = new Uint8Array(Number(claimed));
  readAt(file, { offset: 8, into: bytes, fault });
  const header = parseSafetensorsHeader(bytes, { dataByteLength: size - dataStart, fault });
  return { header, dataStart };
}

/** Fills `into` from the file, or throws: a part of a tensor is never returned. */
function readAt(
  file: Deno.FsFile,
  options: { offset: number; into: Uint8Array; fault: (reason: string) => VitrailError },
): void {
  const { offset, into, fault } = options;
  let filled = 0;
  try {
    file.seekSync(offset, Deno.SeekMode.Start);
    while (filled < into.byteLength) {
      const count = file.readSync(into.subarray(filled));
      if (count === null) break;
      filled += count;
    }
  } catch (error) {
    throw fault(describeIoError(error));
  }
  if (filled < into.byteLength) {
    throw fault(`it ended at byte ${offset + filled}: it became shorter while it was open`);
  }
}

class OpenFile implements SafetensorsFile {
  readonly names: readonly string[];
  readonly metadata: Record<string, string>;
  readonly #tensors: ReadonlyMap<string, TensorPlace>;
  readonly #dataStart: number;
  readonly #fault: (reason: string) => VitrailError;
  #file: Deno.FsFile | undefined;

  constructor(
    file: Deno.FsFile,
    options: {
      header: SafetensorsHeader;
      dataStart: number;
      fault: (reason: string) => VitrailError;
    },
  ) {
    this.#file = file;
    this.#tensors = options.header.tensors;
    this.#dataStart = options.dataStart;
    this.#fault = options.fault;
    this.names = Object.freeze([...this.#tensors.keys()]);
    this.metadata = options.header.metadata;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  info(name: string): TensorInfo {
    const { dtype, shape, byteLength } = this.#place(name);
    return { dtype, shape, byteLength };
  }

  read(name: string): Float32Array<ArrayBuffer> {
    const { dtype, byteLength, start, shape } = this.#place(name);
    if (!isFloatDtype(dtype)) {
      throw this.#fault(
        `tensor ${quoteName(name)} is ${dtype}, wanted F32, F16, BF16 or F64; use readRaw`,
      );
    }
    if (dtype === "F32") return new Float32Array(this.readRaw(name).buffer);
    const floats = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const elementBytes = dtype === "F64" ? 8 : 2;
    const piece = new Uint8Array(Math.min(byteLength, PIECE_BYTES));
    for (let at = 0; at < byteLength; at += piece.byteLength) {
      const bytes = piece.subarray(0, Math.min(piece.byteLength, byteLength - at));
      this.#readAt(start + at, bytes);
      convertToFloat32(bytes, { dtype, into: floats.subarray(at / elementBytes) });
    }
    return floats;
  }

  readRaw(name: string): Uint8Array<ArrayBuffer> {
    const { byteLength, start } = this.#place(name);
    const bytes = new Uint8Array(byteLength);
    this.#readAt(start, bytes);
    return bytes;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #readAt(start: number, into: Uint8Array): void {
    if (this.#file === undefined) throw this.#fault("it is closed; read before closing it");
    readAt(this.#file, { offset: this.#dataStart + start, into, fault: this.#fault });
  }

  #place(name: string): TensorPlace {
    const place = this.#tensors.get(name);
    if (place === undefined) {
      throw this.#fault(
        `no tensor ${quoteName(name)} among its ${this.names.length}` +
          (this.names.length > 0 ? `, the first being ${quoteName(this.names[0])}` : ""),
      );
    }
    return place;
  }
}
