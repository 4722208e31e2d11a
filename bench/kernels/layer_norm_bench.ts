/**
 * Layer norm. An element takes 8 operations forward (mean 1, variance 3, scale and shift 4) and 13
 * backward (x̂ 2, dx̂ 1, two sums 3, the difference 7 with its two means).
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import { layerNorm, layerNormBackward } from "../../src/kernels/layer_norm.ts";
import type { Case } from "../harness.ts";
import { random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels: C } = sizesFor(device);
  const rows = batch * time;
  const size = rows * C;
  const shape = `${rows}×${C}`;
  const operands = (device: Device) => ({
    x: random(device, [rows, C]),
    weight: random(device, [C], 2),
    bias: random(device, [C], 3),
  });
  return [{
    name: "layer_norm forward",
    shape,
    flops: 8 * size,
    bytes: 4 * (2 * size + 2 * C + 2 * rows),
    prepare: (device) => {
      const { x, weight, bias } = operands(device);
      return () => void layerNorm(x, { weight, bias, epsilon: 1e-5 });
    },
  }, {
    name: "layer_norm backward",
    shape,
    flops: 13 * size,
    bytes: 4 * (3 * size + C + 2 * rows),
    prepare: (device) => {
      const { x, weight, bias } = operands(device);
      const { mean, rstd } = layerNorm(x, { weight, bias, epsilon: 1e-5 });
      const dOut = random(device, [rows, C], 4);
      const dX = device.tensor([rows, C]);
      const saved = { x, weight, mean, rstd };
      return () => layerNormBackward(dOut, saved, { dX, accumulate: false });
    },
  }];
}
