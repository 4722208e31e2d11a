/**
 * Drawing a token, greedily and with every filter on. One comparison a logit is all that greedy needs;
 * the filters walk the row again and again, which the figure of operations leaves out.
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import { sample } from "../../src/kernels/sample.ts";
import type { Case } from "../harness.ts";
import { random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch: B, vocabulary: V } = sizesFor(device);
  const off = { topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };
  const settings = {
    greedy: { ...off, temperature: 0 },
    filtered: { ...off, temperature: 0.8, topK: 40, topP: 0.9, minP: 0.01 },
  };
  return Object.entries(settings).map(([name, how]) => ({
    name: `sample ${name}`,
    shape: `${B}×${V}`,
    flops: B * V,
    bytes: 8 * B * V,
    prepare: (device) => {
      const tensors = {
        logits: random(device, [B, V]),
        seen: device.zeros([B, V], "u32"),
        ids: device.zeros([B, 1], "u32"),
        tokens: device.zeros([B, 1], "u32"),
      };
      return () => sample(tensors, { ...how, position: 0 });
    },
  }));
}
