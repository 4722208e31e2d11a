/**
 * What a case is, its operands, and the sizes that they come in.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import type { Tensor } from "../../gpu/tensor.ts";

/** One kernel, or a few that belong together, in one shape. What they must do, `work.ts` counts. */
export interface Case {
  /** Kernel and pass, such as `layer_norm forward`. */
  name: string;
  /** Sizes in words. */
  shape: string;
  /** Allocates the operands and returns the call. */
  prepare: (device: Device) => () => void;
}

/** Sizes of the rows that kernels work on: (B·T, C), V tokens. */
export interface Sizes {
  /** B. */
  batch: number;
  /** T. */
  time: number;
  /** C. */
  channels: number;
  /** V. */
  vocabulary: number;
  /** Heads. */
  heads: number;
}

/**
 * A small model where shaders run on the processor; on a GPU the size of GPT-2, with enough rows that
 * no operand fits the caches.
 */
export function sizesFor(device: Device): Sizes {
  return device.isCpu
    ? { batch: 4, time: 256, channels: 384, vocabulary: 4096, heads: 6 }
    : { batch: 16, time: 1024, channels: 1024, vocabulary: 50257, heads: 16 };
}

/** Numbers in [-0.5, 0.5) that a seed decides (xorshift32, Marsaglia 2003). */
export function seededNumbers(size: number, seed: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(size);
  let x = Math.imul(seed, 0x9e3779b1) | 1;
  for (let i = 0; i < size; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    out[i] = (x >>> 0) / 2 ** 32 - 0.5;
  }
  return out;
}

/** A tensor of numbers in [-0.5, 0.5). */
export function random(device: Device, shape: readonly number[], seed = 1): Tensor {
  return device.upload(seededNumbers(shape.reduce((a, b) => a * b, 1), seed), shape);
}

/** A tensor of whole numbers from 0 to `limit - 1`: token ids, or targets, which are signed. */
export function randomIds(
  device: Device,
  shape: readonly number[],
  limit: number,
  type: typeof Uint32Array | typeof Int32Array = Uint32Array,
): Tensor {
  const numbers = seededNumbers(shape.reduce((a, b) => a * b, 1), 3);
  return device.upload(new type(numbers.map((x) => Math.floor((x + 0.5) * limit))), shape);
}
