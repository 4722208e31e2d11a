/**
 * Layer norm, alone or behind a residual connection, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { type ColumnTarget, normalizedColumnSums } from "../../kernels/column_sum.ts";
import {
  addNorm as addForward,
  layerNorm as forward,
  layerNormBackward,
  type LayerNormResult,
} from "../../kernels/layer_norm.ts";
import type { Run } from "../run.ts";
import { recordAdd } from "./add.ts";

/** What a layer norm learns, and what it adds to the variance. */
export interface NormParameters {
  /** (C). */
  weight: Tensor;
  /** (C). */
  bias: Tensor;
  /** Added to the variance. */
  epsilon: number;
}

/** Normalizes each row of x; x and the rows' statistics are saved. */
export function layerNorm(run: Run, x: Tensor, parameters: NormParameters): Tensor {
  const result = forward(x, parameters);
  recordNorm(run, x, parameters, result);
  return result.out;
}

/** `sum = a + b` and its norm `out`, in one dispatch where `add` and `layerNorm` take two. */
export function addNorm(
  run: Run,
  a: Tensor,
  b: Tensor,
  parameters: NormParameters,
): { sum: Tensor; out: Tensor } {
  const { sum, ...result } = addForward(a, b, parameters);
  recordAdd(run, sum, { a, b });
  recordNorm(run, sum, parameters, result);
  return { sum, out: result.out };
}

function recordNorm(
  run: Run,
  x: Tensor,
  { weight, bias }: NormParameters,
  { out, mean, rstd }: LayerNormResult,
): void {
  run.record(out, [x, weight, bias], (dOut, gradients) => {
    const targets: { weight?: ColumnTarget; bias?: ColumnTarget } = {};
    gradients.into(weight, (target) => targets.weight = target);
    gradients.into(bias, (target) => targets.bias = target);
    if (targets.weight || targets.bias) normalizedColumnSums(dOut, { x, mean, rstd }, targets);
    gradients.into(x, ({ tensor, accumulate }) => {
      layerNormBackward(dOut, { x, weight, mean, rstd }, { dX: tensor, accumulate });
    });
  });
}
