/**
 * GELU in its tanh form, over the hidden layer of an MLP. The tanh counts as one operation: 9 forward,
 * 17 backward.
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import { gelu, geluBackward } from "../../src/kernels/gelu.ts";
import type { Case } from "../harness.ts";
import { random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels } = sizesFor(device);
  const sides = [batch * time, 4 * channels];
  const size = sides[0] * sides[1];
  const shape = sides.join("×");
  return [{
    name: "gelu forward",
    shape,
    flops: 9 * size,
    bytes: 8 * size,
    prepare: (device) => {
      const x = random(device, sides);
      return () => void gelu(x, "tanh");
    },
  }, {
    name: "gelu backward",
    shape,
    flops: 17 * size,
    bytes: 12 * size,
    prepare: (device) => {
      const x = random(device, sides);
      const dOut = random(device, sides, 2);
      const dX = device.tensor(sides);
      return () => geluBackward(x, dOut, { kind: "tanh", dX, accumulate: false });
    },
  }];
}
