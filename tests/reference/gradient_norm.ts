/**
 * Reference of the global gradient norm and the factor that clips it.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** √Σ g² over all tensors, Σ g² of each, and min(1, limit/(norm + 1e-6)); a limit of 0 clips nothing. */
export function gradientNorm(
  gradients: readonly Numbers[],
  limit: number,
): { norm: number; factor: number; sums: Float64Array } {
  const sums = Float64Array.from(gradients, (gradient) => {
    let sum = 0;
    for (let i = 0; i < gradient.length; i++) sum += gradient[i] ** 2;
    return sum;
  });
  const norm = Math.sqrt(sums.reduce((a, b) => a + b));
  return { norm, factor: limit > 0 ? Math.min(1, limit / (norm + 1e-6)) : 1, sums };
}
