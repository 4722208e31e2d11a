/**
 * A shape and an element type over a buffer on the device.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { SLICE_ALIGNMENT } from "./buffers.ts";
import type { Device } from "./device.ts";
import { type PooledBuffer, releasedError } from "./pooled_buffer.ts";

/** Element types: of four bytes each, but for f16, of two, which the host reads and writes as f32. */
export type DType = "f32" | "f16" | "u32" | "i32";

/** The host's side of a tensor's contents. */
export type NumericArray =
  | Float32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>;

/** Numbers on the host with their shape. */
export interface HostTensor {
  /** The numbers, row-major. */
  data: NumericArray;
  /** Length of each dimension, outermost first. */
  shape: readonly number[];
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/**
 * Fails unless a shape counts something: no buffer is empty, and no dispatch over nothing.
 *
 * @param action what is done with it, such as `make a tensor`
 */
export function checkShape(shape: readonly number[], action: string): void {
  if (shape.every((side) => Number.isSafeInteger(side) && side > 0)) return;
  throw new VitrailError(
    `Cannot ${action} of shape (${shape.join(", ")}): wanted whole numbers from 1`,
  );
}

/** Bytes of so many elements, filled up to whole words: adapters copy and clear nothing smaller. */
export function bytesOf(size: number, dtype: DType): number {
  return dtype === "f16" ? Math.ceil(size / 2) * 4 : size * 4;
}

/** A dense row-major array on the device. */
export class Tensor {
  /** The device that holds it. */
  readonly device: Device;
  /** Its memory; several tensors may be views of one buffer. */
  readonly buffer: PooledBuffer;
  /** Length of each dimension, outermost first. */
  readonly shape: readonly number[];
  /** Element type. */
  readonly dtype: DType;

  /** Wraps a buffer; `device.tensor` and `device.upload` are the usual way in. */
  constructor(device: Device, buffer: PooledBuffer, shape: readonly number[], dtype: DType) {
    this.device = device;
    this.buffer = buffer;
    this.shape = shape;
    this.dtype = dtype;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes of its elements, filled up to whole words. */
  get byteLength(): number {
    return bytesOf(this.size, this.dtype);
  }

  /**
   * The same memory under another shape of the same size.
   *
   * @throws {VitrailError} if the sizes differ, or its memory was given back
   */
  reshape(shape: readonly number[]): Tensor {
    this.#check("reshape a tensor");
    checkShape(shape, "make a view");
    if (sizeOf(shape) !== this.size) {
      throw new VitrailError(
        `Cannot reshape (${this.shape.join(", ")}) to (${shape.join(", ")}): ` +
          `${this.size} elements are not ${sizeOf(shape)}`,
      );
    }
    return new Tensor(this.device, this.buffer, shape, this.dtype);
  }

  /**
   * Rows from `begin` up to `end` of a matrix, as a view of the same memory; leading dimensions count
   * as rows, a vector as a column.
   *
   * @throws {VitrailError} if there are no such rows, or they do not begin where the adapter can bind (multiples of 64, of 128 in f16,
   * always do), or if its memory was given back
   */
  rows(begin: number, end: number): Tensor {
    this.#check("take rows of a tensor");
    const columns = this.shape.length > 1 ? this.shape.at(-1)! : 1;
    const rows = this.size / columns;
    const inside = [begin, end].every((row) =>
      Number.isSafeInteger(row) && row >= 0 && row <= rows
    );
    if (!inside || begin >= end) {
      throw new VitrailError(
        `Cannot take rows ${begin} to ${end} of (${this.shape.join(", ")}): wanted whole numbers ` +
          `from 0 to ${rows}, the first smaller than the second`,
      );
    }
    const [from, to] = [begin, end].map((row) => bytesOf(row * columns, this.dtype));
    if (from % SLICE_ALIGNMENT !== 0) {
      throw new VitrailError(
        `Cannot take rows of (${
          this.shape.join(", ")
        }) from ${begin} on: they begin at byte ${from}, ` +
          `wanted a multiple of ${SLICE_ALIGNMENT}`,
      );
    }
    // What lies behind the last element may be read, as it may in a buffer of its own.
    const padded = Math.ceil(to / SLICE_ALIGNMENT) * SLICE_ALIGNMENT;
    const bytes = Math.min(padded, this.buffer.byteLength) - from;
    const slice = this.device.pool.slice(this.buffer, from, bytes);
    const shape = this.shape.length > 1 ? [end - begin, columns] : [end - begin];
    return new Tensor(this.device, slice, shape, this.dtype);
  }

  #check(action: string): void {
    this.device.requireOpen(action);
    if (this.buffer.whole.isReleased) throw releasedError(action, this.buffer, this.shape);
  }

  /** Copies the contents to the host. Each call waits for the device: see `Device.read`. */
  async read(): Promise<NumericArray> {
    return (await this.device.read(this))[0];
  }
}
