/**
 * What a sparse autoencoder does to its features, of which there are four for each channel, and to its
 * dictionary.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { topK, topKBackward, updateAges } from "../../kernels/top_k.ts";
import { normalizeRows, projectRows } from "../../kernels/unit_rows.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** Features that each row keeps. */
const K = 32;

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels } = sizesFor(device);
  const forward = (name: string, columns: number): Case => ({
    name,
    shape: `${batch * time}×${columns}, k ${K}`,
    prepare: (device) => {
      const x = random(device, [batch * time, columns]);
      return () => void topK(x, K);
    },
  });
  return [
    forward("top_k forward", 4 * channels),
    forward("top_k forward, odd", 4 * channels - 1),
    {
      name: "top_k backward, ages",
      shape: `${batch * time}×${4 * channels}, k ${K}`,
      prepare: (device) => {
        const sides = [batch * time, 4 * channels];
        const out = topK(random(device, sides), K);
        const dOut = random(device, sides, 2);
        const dX = device.tensor(sides);
        const age = device.zeros([4 * channels], "u32");
        return () => {
          topKBackward(out, dOut, { dX, accumulate: false });
          updateAges(out, age);
        };
      },
    },
    {
      name: "unit_rows",
      shape: `${4 * channels}×${channels}`,
      prepare: (device) => {
        const [weight, gradient] = [1, 2].map((seed) =>
          random(device, [4 * channels, channels], seed)
        );
        return () => {
          projectRows(gradient, weight);
          normalizeRows(weight);
        };
      },
    },
  ];
}
