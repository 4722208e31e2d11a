/**
 * Dropout from a counter-based generator.
 *
 * @module
 */
import source from "../../shaders/dropout.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fours, perElement } from "./launch.ts";

const kernel = new Kernel("dropout", source);

/** Names the random numbers of one place in one step: the same key gives the same mask. */
export interface DropoutKey {
  /** Probability of dropping, in [0, 1). */
  probability: number;
  /** Seed of the run. */
  seed: number;
  /** Which step, or micro-step, of the run. */
  step: number;
  /** Which dropout within the step. */
  place: number;
}

/** `x·keep/(1 - p)`; applied to `dOut` with the same key it is its own backward pass. */
export function dropout(
  x: Tensor,
  key: DropoutKey,
  options: { out?: Tensor; accumulate?: boolean } = {},
): Tensor {
  const out = options.out ?? x.device.tensor(x.shape, x.dtype);
  const { overrides, workgroups } = perElement(x.device, fours(x));
  x.device.dispatch(kernel, "forward", {
    bindings: { x, out },
    uniforms: { fours: fours(x), ...key },
    overrides: { ...overrides, accumulate: options.accumulate ?? false },
    workgroups,
  });
  return out;
}
