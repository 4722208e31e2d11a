/**
 * Sums over rows: the gradient of a bias, and of those of a layer norm's bias and weight.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { columnSum, normalizedColumnSums } from "../../kernels/column_sum.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels: C } = sizesFor(device);
  const rows = batch * time;
  const shape = `${rows}×${C}`;
  return [{
    name: "column_sum",
    shape,
    prepare: (device) => {
      const dOut = random(device, [rows, C]);
      const out = device.tensor([C]);
      return () => columnSum(dOut, out, { accumulate: false });
    },
  }, {
    name: "column_sum normalized",
    shape,
    prepare: (device) => {
      const dOut = random(device, [rows, C]);
      const [bias, weight] = [0, 1].map(() => ({ tensor: device.tensor([C]), accumulate: false }));
      const saved = {
        x: random(device, [rows, C], 2),
        mean: random(device, [rows], 3),
        rstd: random(device, [rows], 4),
      };
      return () => normalizedColumnSums(dOut, saved, { bias, weight });
    },
  }];
}
