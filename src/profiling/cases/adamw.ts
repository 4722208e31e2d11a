/**
 * The optimizer, and the norm that clips.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { adamw } from "../../kernels/adamw.ts";
import { createGradientNorm } from "../../kernels/gradient_norm.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { channels: C } = sizesFor(device);
  const sides = [4 * C, C];
  const size = 4 * C * C;
  const shape = sides.join("×");
  return [
    {
      name: "adamw",
      shape,
      prepare: (device) => {
        const [value, gradient] = [1, 2].map((seed) => random(device, sides, seed));
        const [m, v] = [0, 0].map(() => device.zeros(sides));
        const clip = device.upload(new Float32Array([1, 1, 0]));
        const rates = { lr: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1, step: 1 };
        return () => adamw({ value, gradient, m, v, clip }, rates);
      },
    },
    ...[false, true].map((scaled) => ({
      name: scaled ? "gradient_norm with loss scale" : "gradient_norm",
      shape,
      prepare: (device: Device) => {
        const gradient = random(device, sides);
        const parts = [{ begin: 0, size }];
        const state = device.upload(new Float32Array([1024, 0, 0]));
        const norm = createGradientNorm(
          [{ flat: gradient, parts, indices: [0] }],
          scaled ? { state, growth: 2000 } : undefined,
        );
        return () => norm.compute(1);
      },
    })),
  ];
}
