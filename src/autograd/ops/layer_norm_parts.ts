/**
 * Layer norm with its scale and its normalized rows as tensors of their own, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { type ColumnTarget, normalizedColumnSums } from "../../kernels/column_sum.ts";
import {
  affine,
  divideRows,
  divideRowsBackward,
  normScale,
  normScaleBackward,
} from "../../kernels/norm_parts.ts";
import type { Run } from "../run.ts";
import type { NormParameters } from "./layer_norm.ts";

/** Names of the hook points inside a layer norm. */
export interface NormHooks {
  /** What each centred row is divided by (…, 1), in f32. */
  scale: string;
  /** Rows centred and scaled (…, C), before weight and bias. */
  normalized: string;
}

/** The function `layerNorm`, unfused, with hook points on the scale and on the normalized rows. */
export function layerNormInParts(
  run: Run,
  x: Tensor,
  options: NormParameters & { hooks: NormHooks },
): Tensor {
  const { weight, bias, epsilon, hooks } = options;
  const own = normScale(x, { epsilon });
  run.record(own, [x], (dScale, gradients) => {
    gradients.give(x, normScaleBackward(x, { scale: own, dScale }));
  });
  const scale = run.hook(hooks.scale, own);
  const rows = divideRows(x, { scale });
  run.record(rows, [x, scale], (dOut, gradients) => {
    const { dX, dScale } = divideRowsBackward(x, { scale, dOut });
    gradients.give(x, dX);
    gradients.give(scale, dScale);
  });
  const normalized = run.hook(hooks.normalized, rows);
  const out = affine(normalized, { weight, bias });
  run.record(out, [normalized, weight, bias], (dOut, gradients) => {
    const targets: { weight?: ColumnTarget; bias?: ColumnTarget } = {};
    gradients.into(weight, (target) => targets.weight = target);
    gradients.into(bias, (target) => targets.bias = target);
    if (targets.weight || targets.bias) weightSums(dOut, normalized, targets);
    gradients.give(normalized, affine(dOut, { weight }));
  });
  return out;
}

/** `Σ dOut·x` and `Σ dOut` over the rows of x, which are normalized already. */
function weightSums(
  dOut: Tensor,
  x: Tensor,
  targets: { weight?: ColumnTarget; bias?: ColumnTarget },
): void {
  const { device } = x;
  const rows = x.size / x.shape.at(-1)!;
  const [mean, rstd] = [0, 1].map((n) => device.upload(new Float32Array(rows).fill(n)));
  normalizedColumnSums(dOut, { x, mean, rstd }, targets);
  [mean, rstd].forEach(({ buffer }) => device.pool.release(buffer));
}
