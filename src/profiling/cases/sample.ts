/**
 * Drawing a token, greedily and with every filter on, which walks the row again and again.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { sample } from "../../kernels/sample.ts";
import { type Case, random, sizesFor } from "./operands.ts";

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
