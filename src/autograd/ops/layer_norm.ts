/**
 * Layer norm, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { columnSum } from "../../kernels/column_sum.ts";
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
    gradients.into(weight, ({ tensor, accumulate }) => {
      columnSum(dOut, tensor, { accumulate, normalized: { x, mean, rstd } });
    });
    gradients.into(bias, ({ tensor, accumulate }) => columnSum(dOut, tensor, { accumulate }));
    gradients.into(x, ({ tensor, accumulate }) => {
      layerNormBackward(dOut, { x, weight, mean, rstd }, { dX: tensor, accumulate });
    });
  });
  return out;
}
