/**
 * Softmax, and cross-entropy with it, over rows of a vocabulary. An exponential counts as one
 * operation: softmax takes 5 an element forward (maximum, difference, exponential, sum, quotient) and
 * 4 backward, cross-entropy 4 and 4.
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import { crossEntropy, crossEntropyBackward } from "../../src/kernels/cross_entropy.ts";
import { softmax, softmaxBackward } from "../../src/kernels/softmax.ts";
import type { Case } from "../harness.ts";
import { random, randomIds, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { time: rows, vocabulary: V } = sizesFor(device);
  const size = rows * V;
  const shape = `${rows}×${V}`;
  const targetsOf = (device: Device) => randomIds(device, [rows], V, Int32Array);
  return [{
    name: "softmax forward",
    shape,
    flops: 5 * size,
    bytes: 8 * size,
    prepare: (device) => {
      const x = random(device, [rows, V]);
      return () => void softmax(x);
    },
  }, {
    name: "softmax backward",
    shape,
    flops: 4 * size,
    bytes: 12 * size,
    prepare: (device) => {
      const out = softmax(random(device, [rows, V]));
      const dOut = random(device, [rows, V], 2);
      return () => void softmaxBackward(out, dOut);
    },
  }, {
    name: "cross_entropy forward",
    shape,
    flops: 4 * size,
    bytes: 4 * (size + 3 * rows),
    prepare: (device) => {
      const logits = random(device, [rows, V]);
      const targets = targetsOf(device);
      return () => void crossEntropy(logits, targets);
    },
  }, {
    name: "cross_entropy backward",
    shape,
    flops: 4 * size,
    bytes: 4 * (2 * size + 2 * rows),
    prepare: (device) => {
      const logits = random(device, [rows, V]);
      const targets = targetsOf(device);
      const saved = crossEntropy(logits, targets);
      const dLogits = device.tensor([rows, V]);
      return () => crossEntropyBackward(logits, targets, { saved, scale: 1, dLogits });
    },
  }];
}
