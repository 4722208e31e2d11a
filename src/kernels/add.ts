/**
 * Elementwise addition.
 *
 * @module
 */
import source from "../../shaders/add.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fours, perElement } from "./launch.ts";

const kernel = new Kernel("add", source);

/** `a + b`, of one shape. */
export function add(a: Tensor, b: Tensor): Tensor {
  if (a.size !== b.size) {
    throw new VitrailError(
      `Cannot add (${a.shape.join(", ")}) and (${b.shape.join(", ")}): shapes must match`,
    );
  }
  const out = a.device.tensor(a.shape, a.dtype);
  a.device.dispatch(kernel, "forward", {
    bindings: { a, b, out },
    uniforms: { fours: fours(a) },
    ...perElement(a.device, fours(a)),
  });
  return out;
}

/** `out += a`. */
export function accumulate(out: Tensor, a: Tensor): void {
  a.device.dispatch(kernel, "accumulate", {
    bindings: { a, out },
    uniforms: { fours: fours(a) },
    ...perElement(a.device, fours(a)),
  });
}
