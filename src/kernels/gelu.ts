/**
 * GELU, exact and in the tanh approximation.
 *
 * @module
 */
import source from "../../shaders/gelu.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fours, perElement } from "./launch.ts";

const kernel = new Kernel("gelu", source);

/** Which form of Φ: the error function, or the tanh that GPT-2 was trained with. */
export type GeluKind = "erf" | "tanh";

/** `gelu(x)`, of any shape. */
export function gelu(x: Tensor, kind: GeluKind): Tensor {
  const out = x.device.tensor(x.shape, x.dtype);
  const { overrides, workgroups } = perElement(x.device, fours(x));
  x.device.dispatch(kernel, "forward", {
    bindings: { x, out },
    uniforms: { fours: fours(x) },
    overrides: { ...overrides, exact: kind === "erf" },
    workgroups,
  });
  return out;
}

/** Writes or adds `gelu'(x)·dOut` into `dX`. */
export function geluBackward(
  x: Tensor,
  dOut: Tensor,
  options: { kind: GeluKind; dX: Tensor; accumulate: boolean },
): void {
  const { kind, dX, accumulate } = options;
  const { overrides, workgroups } = perElement(x.device, fours(x));
  x.device.dispatch(kernel, "backward", {
    bindings: { x, d_out: dOut, d_x: dX },
    uniforms: { fours: fours(x) },
    overrides: { ...overrides, exact: kind === "erf", accumulate },
    workgroups,
  });
}
