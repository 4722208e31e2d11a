/**
 * Reference of layer norm over rows.
 *
 * @module
 */
import { columnSum } from "./column_sum.ts";
import type { Numbers } from "./numbers.ts";

/** (x - mean)·rstd·weight + bias of each row of `columns` numbers. */
export function layerNorm(
  x: Numbers,
  parameters: { weight: Numbers; bias: Numbers; epsilon: number },
): { out: Float64Array; mean: Float64Array; rstd: Float64Array } {
  const { weight, bias, epsilon } = parameters;
  const columns = weight.length;
  const rows = x.length / columns;
  const [out, mean, rstd] = [x.length, rows, rows].map((size) => new Float64Array(size));
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) mean[r] += x[r * columns + c] / columns;
    let variance = 0;
    for (let c = 0; c < columns; c++) variance += (x[r * columns + c] - mean[r]) ** 2 / columns;
    rstd[r] = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < columns; c++) {
      const i = r * columns + c;
      out[i] = (x[i] - mean[r]) * rstd[r] * weight[c] + bias[c];
    }
  }
  return { out, mean, rstd };
}

/** With x̂ the normalized row and g = dOut·weight: dX = rstd·(g - mean(g) - x̂·mean(g·x̂)). */
export function layerNormBackward(
  x: Numbers,
  dOut: Numbers,
  parameters: { weight: Numbers; epsilon: number },
): { dX: Float64Array; dWeight: Float64Array; dBias: Float64Array } {
  const { weight, epsilon } = parameters;
  const columns = weight.length;
  const bias = new Float64Array(columns);
  const { mean, rstd } = layerNorm(x, { weight, bias, epsilon });
  const dX = new Float64Array(x.length);
  for (let r = 0; r < mean.length; r++) {
    const hat = (i: number) => (x[i] - mean[r]) * rstd[r];
    let [sum, product] = [0, 0];
    for (let c = 0; c < columns; c++) {
      const i = r * columns + c;
      sum += dOut[i] * weight[c] / columns;
      product += dOut[i] * weight[c] * hat(i) / columns;
    }
    for (let c = 0; c < columns; c++) {
      const i = r * columns + c;
      dX[i] = rstd[r] * (dOut[i] * weight[c] - sum - hat(i) * product);
    }
  }
  return {
    dX,
    dWeight: columnSum(dOut, { columns, normalized: { x, mean, rstd } }),
    dBias: columnSum(dOut, { columns }),
  };
}
