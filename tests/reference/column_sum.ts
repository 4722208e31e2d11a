/**
 * Reference of sums over rows.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** Σ_r dOut[r], or Σ_r dOut[r]·(x[r] - mean[r])·rstd[r], plus what was there before. */
export function columnSum(
  dOut: Numbers,
  options: {
    columns: number;
    normalized?: { x: Numbers; mean: Numbers; rstd: Numbers };
    before?: Numbers;
  },
): Float64Array {
  const { columns, normalized, before } = options;
  const out = before ? Float64Array.from(before) : new Float64Array(columns);
  for (let i = 0; i < dOut.length; i++) {
    const r = Math.floor(i / columns);
    const factor = normalized ? (normalized.x[i] - normalized.mean[r]) * normalized.rstd[r] : 1;
    out[i % columns] += dOut[i] * factor;
  }
  return out;
}
