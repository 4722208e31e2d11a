/**
 * A layer norm with its weight and bias.
 *
 * @module
 */
import { add } from "../autograd/ops/add.ts";
import { addNorm, layerNorm } from "../autograd/ops/layer_norm.ts";
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

  /**
   * The residual connection `sum = a + b` (…, C) and its norm. They are one dispatch, unless somebody
   * listens at the hook point `name` of the sum, and may put another in its place.
   */
  afterAdd(run: Run, a: Tensor, b: Tensor, name: string): { sum: Tensor; out: Tensor } {
    if (!run.hooked(name)) return addNorm(run, a, b, this);
    const sum = run.hook(name, add(run, a, b));
    return { sum, out: this.forward(run, sum) };
  }
}
