/**
 * GELU in its tanh form, over the hidden layer of an MLP.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { gelu, geluBackward } from "../../kernels/gelu.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels } = sizesFor(device);
  const sides = [batch * time, 4 * channels];
  const shape = sides.join("×");
  return [{
    name: "gelu forward",
    shape,
    prepare: (device) => {
      const x = random(device, sides);
      return () => void gelu(x, "tanh");
    },
  }, {
    name: "gelu backward",
    shape,
    prepare: (device) => {
      const x = random(device, sides);
      const dOut = random(device, sides, 2);
      const dX = device.tensor(sides);
      return () => geluBackward(x, dOut, { kind: "tanh", dX, accumulate: false });
    },
  }];
}
