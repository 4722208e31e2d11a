/**
 * A copy by a shader: the measure of an adapter's memory.
 *
 * @module
 */
import source from "../../shaders/copy.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fours, perElement } from "./launch.ts";

const kernel = new Kernel("copy", source);

/** Copies `x` into `out`, which has its size. */
export function copyInto(x: Tensor, out: Tensor): void {
  x.device.dispatch(kernel, "forward", {
    bindings: { x, out },
    uniforms: { fours: fours(x) },
    ...perElement(x.device, fours(x)),
  });
}
