/**
 * Softmax, and cross-entropy and divergence with it, over rows of a vocabulary.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { countTargets, crossEntropy, crossEntropyBackward } from "../../kernels/cross_entropy.ts";
import { klDivergence, klDivergenceBackward } from "../../kernels/kl_divergence.ts";
import { softmax, softmaxBackward } from "../../kernels/softmax.ts";
import { type Case, random, randomIds, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { time: rows, vocabulary: V } = sizesFor(device);
  const shape = `${rows}×${V}`;
  const targetsOf = (device: Device) => randomIds(device, [rows], V, Int32Array);
  return [{
    name: "softmax forward",
    shape,
    prepare: (device) => {
      const x = random(device, [rows, V]);
      return () => void softmax(x);
    },
  }, {
    name: "softmax backward",
    shape,
    prepare: (device) => {
      const out = softmax(random(device, [rows, V]));
      const dOut = random(device, [rows, V], 2);
      return () => void softmaxBackward(out, dOut);
    },
  }, {
    name: "cross_entropy forward",
    shape,
    prepare: (device) => {
      const logits = random(device, [rows, V]);
      const targets = targetsOf(device);
      return () => void crossEntropy(logits, targets);
    },
  }, {
    name: "cross_entropy count",
    shape: `${rows}`,
    prepare: (device) => {
      const [targets, result] = [targetsOf(device), device.zeros([2])];
      return () => countTargets(targets, result);
    },
  }, {
    name: "cross_entropy backward",
    shape,
    prepare: (device) => {
      const logits = random(device, [rows, V]);
      const targets = targetsOf(device);
      const saved = crossEntropy(logits, targets);
      const dLogits = device.tensor([rows, V]);
      return () => crossEntropyBackward(logits, targets, { saved, scale: 1, dLogits });
    },
  }, {
    name: "kl_divergence forward",
    shape,
    prepare: (device) => {
      const [logits, teacher] = [random(device, [rows, V]), random(device, [rows, V], 2)];
      return () => void klDivergence(logits, teacher);
    },
  }, {
    name: "kl_divergence backward",
    shape,
    prepare: (device) => {
      const [logits, teacher] = [random(device, [rows, V]), random(device, [rows, V], 2)];
      const saved = klDivergence(logits, teacher);
      const dLogits = device.tensor([rows, V]);
      return () => klDivergenceBackward(logits, teacher, { saved, scale: 1, dLogits });
    },
  }];
}
