/**
 * Reference of softmax over rows.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** Scores of this or less are masked: -1e38 as f32 has it. */
export const MASKED = Math.fround(-1e38);

/** exp(x - max)/Σ of each row; masked entries get zero, and rows masked throughout get zeros. */
export function softmax(x: Numbers, columns: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += columns) {
    let [most, sum] = [-Infinity, 0];
    for (let i = at; i < at + columns; i++) if (x[i] > MASKED) most = Math.max(most, x[i]);
    for (let i = at; i < at + columns; i++) {
      if (x[i] > MASKED) sum += out[i] = Math.exp(x[i] - most);
    }
    for (let i = at; i < at + columns; i++) if (sum > 0) out[i] /= sum;
  }
  return out;
}

/** out·(dOut - Σ out·dOut) of each row. */
export function softmaxBackward(out: Numbers, dOut: Numbers, columns: number): Float64Array {
  const dX = new Float64Array(out.length);
  for (let at = 0; at < out.length; at += columns) {
    let product = 0;
    for (let i = at; i < at + columns; i++) product += out[i] * dOut[i];
    for (let i = at; i < at + columns; i++) dX[i] = out[i] * (dOut[i] - product);
  }
  return dX;
}
