/**
 * Operands of a bench and the sizes that they come in.
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { seededNumbers } from "../harness.ts";

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

/** A tensor of numbers in [-0.5, 0.5). */
export function random(device: Device, shape: number[], seed = 1): Tensor {
  return device.upload(seededNumbers(shape.reduce((a, b) => a * b, 1), seed), shape);
}

/** A tensor of whole numbers from 0 to `limit - 1`: token ids, or targets, which are signed. */
export function randomIds(
  device: Device,
  shape: number[],
  limit: number,
  type: typeof Uint32Array | typeof Int32Array = Uint32Array,
): Tensor {
  const numbers = seededNumbers(shape.reduce((a, b) => a * b, 1), 3);
  return device.upload(new type(numbers.map((x) => Math.floor((x + 0.5) * limit))), shape);
}
