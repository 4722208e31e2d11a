/**
 * Hyperbolic tangent.
 *
 * @module
 */
import source from "../../shaders/tanh.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fours, perElement } from "./launch.ts";

const kernel = new Kernel("tanh", source);

/** `tanh(x)`, of any shape. */
export function tanh(x: Tensor): Tensor {
  const out = x.device.tensor(x.shape, x.dtype);
  x.device.dispatch(kernel, "forward", {
    bindings: { x, out },
    uniforms: { fours: fours(x) },
    ...perElement(x.device, fours(x)),
  });
  return out;
}

/** Writes or adds `(1 - out²)·dOut` into `dX`, given what the forward pass returned. */
export function tanhBackward(
  out: Tensor,
  dOut: Tensor,
  options: { dX: Tensor; accumulate: boolean },
): void {
  const { dX, accumulate } = options;
  const { overrides, workgroups } = perElement(out.device, fours(out));
  out.device.dispatch(kernel, "backward", {
    bindings: { out, d_out: dOut, d_x: dX },
    uniforms: { fours: fours(out) },
    overrides: { ...overrides, accumulate },
    workgroups,
  });
}
