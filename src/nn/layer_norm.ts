/**
 * A layer norm with its weight and bias.
 *
 * @module
 */
import { layerNorm } from "../autograd/ops/layer_norm.ts";
import type { Parameter } from "../autograd/parameter.ts";
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** Normalizes the last dimension. */
export class LayerNorm {
  /** (C). */
  readonly weight: Parameter;
  /** (C). */
  readonly bias: Parameter;
  /** Added to the variance. */
  readonly epsilon: number;

  /** Takes its parameters from the model that owns them. */
  constructor(weight: Parameter, bias: Parameter, epsilon: number) {
    this.weight = weight;
    this.bias = bias;
    this.epsilon = epsilon;
  }

  /** (…, C) to (…, C). */
  forward(run: Run, x: Tensor): Tensor {
    return layerNorm(run, x, this);
  }
}
