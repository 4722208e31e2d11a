/**
 * A tensor as another type.
 *
 * @module
 */
import source from "../../shaders/cast.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import { fours, perElement } from "./launch.ts";

const kernel = new Kernel("cast", source);

/**
 * `x`, which is f32 or f16, rounded to the nearest number of another type; to infinity beyond 65504.
 *
 * @param options.out where it goes; a new tensor if absent
 * @param options.factor multiplies each element on its way: a tensor whose first number counts
 * @throws {VitrailError} if the adapter has no f16
 */
export function cast(
  x: Tensor,
  dtype: DType,
  options: { out?: Tensor; factor?: Tensor } = {},
): Tensor {
  const { device } = x;
  if (dtype === "f16" && !device.hasF16) {
    throw new VitrailError(
      `Cannot round to f16: ${device.description} has no shader-f16; stay with f32`,
    );
  }
  const { out = device.tensor(x.shape, dtype), factor } = options;
  const { overrides, workgroups } = perElement(device, fours(x));
  device.dispatch(kernel, "forward", {
    bindings: { x, out, factor: factor ?? device.nothing },
    uniforms: { fours: fours(x) },
    overrides: { ...overrides, has_factor: factor !== undefined },
    workgroups,
  });
  return out;
}
