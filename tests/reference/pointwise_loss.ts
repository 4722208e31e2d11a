/** Reference of squared and logistic losses. @module */

import type { Numbers } from "./numbers.ts";

/** Mean loss over the targets that are not NaN, and their number. */
export function pointwiseLoss(
  x: Numbers,
  y: Numbers,
  kind: "squared" | "logistic",
): { mean: number; count: number } {
  let [sum, count] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(y[i])) continue;
    count++;
    if (kind === "squared") sum += (x[i] - y[i]) ** 2;
    // -y·log σ(x) - (1 - y)·log(1 - σ(x)), without σ's rounding to 0 or 1.
    else sum += Math.max(x[i], 0) - x[i] * y[i] + Math.log1p(Math.exp(-Math.abs(x[i])));
  }
  return { mean: count ? sum / count : 0, count };
}

/** The gradient of `scale` times the mean. */
export function pointwiseLossBackward(
  x: Numbers,
  y: Numbers,
  { kind, scale }: { kind: "squared" | "logistic"; scale: number },
): Float64Array {
  const { count } = pointwiseLoss(x, y, kind);
  return Float64Array.from(x, (v, i) => {
    if (Number.isNaN(y[i])) return 0;
    const slope = kind === "squared" ? 2 * (v - y[i]) : 1 / (1 + Math.exp(-v)) - y[i];
    return slope * scale / count;
  });
}
