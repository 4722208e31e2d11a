/**
 * One AdamW update of one tensor, or of many that lie side by side.
 *
 * @module
 */
import source from "../../shaders/adamw.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fours, perElement } from "./launch.ts";

const kernel = new Kernel("adamw", source);

/** The tensors of one update. */
export interface AdamWTensors {
  /** Updated in place. */
  value: Tensor;
  /** The gradient, before clipping. */
  gradient: Tensor;
  /** First moment, updated in place. */
  m: Tensor;
  /** Second moment, updated in place. */
  v: Tensor;
  /** (norm, factor, not finite) of `gradient_norm.ts`. */
  clip: Tensor;
}

/** The numbers of one update. */
export interface AdamWRates {
  /** Learning rate. */
  lr: number;
  /** Decay rate of the first moment. */
  beta1: number;
  /** Decay rate of the second moment. */
  beta2: number;
  /** Added to the root of the second moment. */
  epsilon: number;
  /** Decoupled weight decay. */
  decay: number;
  /** Which update this is, from 1. */
  step: number;
}

/** Updates `value`, `m` and `v` in place. */
export function adamw(tensors: AdamWTensors, rates: AdamWRates): void {
  const { value, gradient, m, v, clip } = tensors;
  const { step, ...constants } = rates;
  value.device.dispatch(kernel, "update", {
    bindings: { value, gradient, m, v, clip },
    uniforms: {
      fours: fours(value),
      ...constants,
      complement1: 1 - rates.beta1,
      complement2: 1 - rates.beta2,
      correction1: 1 - rates.beta1 ** step,
      correction2: 1 - rates.beta2 ** step,
    },
    ...perElement(value.device, fours(value)),
  });
}
