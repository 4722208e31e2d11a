/**
 * Reference of matmul: `out = op(a)·op(b) [+ bias] [+ before]`.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** Sizes of a product and how its operands lie. */
export interface MatmulShape {
  /** Rows of op(a). */
  m: number;
  /** Columns of op(b). */
  n: number;
  /** The inner dimension. */
  k: number;
  /** `a` is stored (K, M). */
  transposeA?: boolean;
  /** `b` is stored (N, K). */
  transposeB?: boolean;
}

/** The product (M, N), plus a row of N, plus what was there before. */
export function matmul(
  a: Numbers,
  b: Numbers,
  options: MatmulShape & { bias?: Numbers; before?: Numbers },
): Float64Array {
  const { m, n, k, transposeA, transposeB, bias, before } = options;
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let q = 0; q < k; q++) {
        sum += a[transposeA ? q * m + i : i * k + q] * b[transposeB ? j * k + q : q * n + j];
      }
      out[i * n + j] = sum + (bias?.[j] ?? 0) + (before?.[i * n + j] ?? 0);
    }
  }
  return out;
}

/** dA and dB as a and b are stored, and dBias (N). */
export function matmulBackward(
  a: Numbers,
  b: Numbers,
  options: MatmulShape & { dOut: Numbers },
): { dA: Float64Array; dB: Float64Array; dBias: Float64Array } {
  const { m, n, k, transposeA, transposeB, dOut } = options;
  const [dA, dB, dBias] = [m * k, k * n, n].map((size) => new Float64Array(size));
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const d = dOut[i * n + j];
      dBias[j] += d;
      for (let q = 0; q < k; q++) {
        const [atA, atB] = [transposeA ? q * m + i : i * k + q, transposeB ? j * k + q : q * n + j];
        dA[atA] += d * b[atB];
        dB[atB] += d * a[atA];
      }
    }
  }
  return { dA, dB, dBias };
}
