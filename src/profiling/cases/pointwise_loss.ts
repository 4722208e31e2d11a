/**
 * Losses of single numbers: squared error, and binary cross-entropy of logits.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import {
  pointwiseLoss,
  pointwiseLossBackward,
  type PointwiseLossKind,
} from "../../kernels/pointwise_loss.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time } = sizesFor(device);
  const sides = [batch * time, 16];
  return (["squared", "logistic"] as PointwiseLossKind[]).map((kind) => ({
    name: `pointwise_loss ${kind}`,
    shape: sides.join("×"),
    prepare: (device) => {
      const [x, targets] = [1, 2].map((seed) => random(device, sides, seed));
      const dX = device.tensor(sides);
      return () => {
        const result = pointwiseLoss(x, targets, kind);
        pointwiseLossBackward(x, targets, { kind, result, scale: 1, dX });
      };
    },
  }));
}
