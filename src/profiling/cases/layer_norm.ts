/**
 * Layer norm, alone and behind a residual connection; the sums over rows that are its weights' gradients
 * are in `column_sum.ts`.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { addNorm, layerNorm, layerNormBackward } from "../../kernels/layer_norm.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels: C } = sizesFor(device);
  const rows = batch * time;
  const shape = `${rows}×${C}`;
  const operands = (device: Device) => ({
    x: random(device, [rows, C]),
    weight: random(device, [C], 2),
    bias: random(device, [C], 3),
  });
  return [{
    name: "layer_norm forward",
    shape,
    prepare: (device) => {
      const { x, weight, bias } = operands(device);
      return () => void layerNorm(x, { weight, bias, epsilon: 1e-5 });
    },
  }, {
    name: "layer_norm added",
    shape,
    prepare: (device) => {
      const { x, weight, bias } = operands(device);
      const y = random(device, [rows, C], 4);
      return () => void addNorm(x, y, { weight, bias, epsilon: 1e-5 });
    },
  }, {
    name: "layer_norm backward",
    shape,
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
