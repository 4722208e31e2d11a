/**
 * Layer norm, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { type ColumnTarget, normalizedColumnSums } from "../../kernels/column_sum.ts";
import { layerNorm as forward, layerNormBackward } from "../../kernels/layer_norm.ts";
import type { Run } from "../run.ts";

/** Normalizes each row of x; x and the rows' statistics are saved. */
export function layerNorm(
  run: Run,
  x: Tensor,
  parameters: { weight: Tensor; bias: Tensor; epsilon: number },
): Tensor {
  const { weight, bias } = parameters;
  const { out, mean, rstd } = forward(x, parameters);
  run.record(out, [x, weight, bias], (dOut, gradients) => {
    const targets: { weight?: ColumnTarget; bias?: ColumnTarget } = {};
    gradients.into(weight, (target) => targets.weight = target);
    gradients.into(bias, (target) => targets.bias = target);
    if (targets.weight || targets.bias) normalizedColumnSums(dOut, { x, mean, rstd }, targets);
    gradients.into(x, ({ tensor, accumulate }) => {
      layerNormBackward(dOut, { x, weight, mean, rstd }, { dX: tensor, accumulate });
    });
  });
  return out;
}
