/**
 * Layer norm in its parts, which run only where somebody looks between them.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import {
  affine,
  divideRows,
  divideRowsBackward,
  normScale,
  normScaleBackward,
} from "../../kernels/norm_parts.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels: C } = sizesFor(device);
  // Who looks inside has no such batches.
  const rows = Math.ceil(batch / 4) * time;
  const shape = `${rows}×${C}`;
  return [{
    name: "norm_parts forward",
    shape,
    prepare: (device) => {
      const x = random(device, [rows, C]);
      const [weight, bias] = [2, 3].map((seed) => random(device, [C], seed));
      return () => {
        const scale = normScale(x, { epsilon: 1e-5 });
        affine(divideRows(x, { scale }), { weight, bias });
      };
    },
  }, {
    name: "norm_parts backward",
    shape,
    prepare: (device) => {
      const [x, dOut] = [1, 2].map((seed) => random(device, [rows, C], seed));
      const scale = normScale(x, { epsilon: 1e-5 });
      return () => {
        const { dScale } = divideRowsBackward(x, { scale, dOut });
        normScaleBackward(x, { scale, dScale });
      };
    },
  }];
}
