/**
 * An activation that is no GELU, SiLU, over the hidden layer of an MLP.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { activation, activationBackward } from "../../kernels/activation.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels } = sizesFor(device);
  const sides = [batch * time, 4 * channels];
  const shape = sides.join("×");
  const kind = { other: "silu" } as const;
  return [{
    name: "activation forward",
    shape,
    prepare: (device) => {
      const x = random(device, sides);
      return () => void activation(x, kind);
    },
  }, {
    name: "activation backward",
    shape,
    prepare: (device) => {
      const x = random(device, sides);
      const dOut = random(device, sides, 2);
      const dX = device.tensor(sides);
      return () => activationBackward(x, dOut, { kind, dX, accumulate: false });
    },
  }];
}
