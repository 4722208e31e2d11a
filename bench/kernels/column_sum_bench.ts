/**
 * Sums over rows: the gradient of a bias, and of a layer norm's weight (which normalizes first).
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import { columnSum } from "../../src/kernels/column_sum.ts";
import type { Case } from "../harness.ts";
import { random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels: C } = sizesFor(device);
  const rows = batch * time;
  const size = rows * C;
  const shape = `${rows}×${C}`;
  return [{
    name: "column_sum",
    shape,
    flops: size,
    bytes: 4 * (size + C),
    prepare: (device) => {
      const dOut = random(device, [rows, C]);
      const out = device.tensor([C]);
      return () => columnSum(dOut, out, { accumulate: false });
    },
  }, {
    name: "column_sum normalized",
    shape,
    flops: 4 * size,
    bytes: 4 * (2 * size + 2 * rows + C),
    prepare: (device) => {
      const dOut = random(device, [rows, C]);
      const out = device.tensor([C]);
      const normalized = {
        x: random(device, [rows, C], 2),
        mean: random(device, [rows], 3),
        rstd: random(device, [rows], 4),
      };
      return () => columnSum(dOut, out, { accumulate: false, normalized });
    },
  }];
}
