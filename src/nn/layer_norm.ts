/**
 * A layer norm with its weight and bias.
 *
 * @module
 */
import { add } from "../autograd/ops/add.ts";
import { addNorm, layerNorm } from "../autograd/ops/layer_norm.ts";
import { layerNormInParts, type NormHooks } from "../autograd/ops/layer_norm_parts.ts";
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

  /** (…, C) to (…, C). `name` is the prefix of its hook points, such as `blocks.0.ln1.`. */
  forward(run: Run, x: Tensor, name: string): Tensor {
    const hooks = hooksOf(name);
    const { weight, bias, epsilon } = this;
    return run.hooked(hooks.scale, hooks.normalized)
      ? layerNormInParts(run, x, { weight, bias, epsilon, hooks })
      : layerNorm(run, x, this);
  }

  /**
   * The residual connection `sum = a + b` (…, C) and its norm. They are one dispatch, unless somebody
   * listens at the hook point of the sum or within the norm, and may put something else there.
   */
  afterAdd(
    run: Run,
    a: Tensor,
    b: Tensor,
    names: { sum: string; norm: string },
  ): { sum: Tensor; out: Tensor } {
    const { scale, normalized } = hooksOf(names.norm);
    if (!run.hooked(names.sum, scale, normalized)) return addNorm(run, a, b, this);
    const sum = run.hook(names.sum, add(run, a, b));
    return { sum, out: this.forward(run, sum, names.norm) };
  }
}

function hooksOf(name: string): NormHooks {
  return { scale: `${name}hook_scale`, normalized: `${name}hook_normalized` };
}
