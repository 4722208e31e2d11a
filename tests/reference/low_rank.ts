/**
 * Reference of a low-rank update of a linear layer's result: `out[:, block] + s·(x·Aᵀ)·Bᵀ`.
 *
 * @module
 */
import { matmul } from "./matmul.ts";
import type { Numbers } from "./numbers.ts";

/** Sizes of an update. */
export interface LowRankShape {
  /** Rows of x. */
  rows: number;
  /** Columns of x. */
  inputs: number;
  /** r. */
  rank: number;
  /** Columns of out that are added to. */
  columns: number;
  /** Columns of out. */
  width: number;
  /** The first that is added to. */
  offset: number;
  /** s. */
  scale: number;
}

/** out (rows, width) with the update added to its block. */
export function lowRank(
  x: Numbers,
  { out, down, up }: { out: Numbers; down: Numbers; up: Numbers },
  shape: LowRankShape,
): Float64Array {
  const { rows, inputs, rank, columns, width, offset, scale } = shape;
  const h = matmul(x, down, { m: rows, n: rank, k: inputs, transposeB: true });
  const delta = matmul(h, up, { m: rows, n: columns, k: rank, transposeB: true });
  const sum = Float64Array.from(out);
  delta.forEach((v, i) => {
    const row = Math.floor(i / columns);
    sum[row * width + offset + i % columns] += scale * v;
  });
  return sum;
}

/** The gradients of x, A and B; that of out is dOut itself. */
export function lowRankBackward(
  x: Numbers,
  { dOut, down, up }: { dOut: Numbers; down: Numbers; up: Numbers },
  shape: LowRankShape,
): { dX: Float64Array; dDown: Float64Array; dUp: Float64Array } {
  const { rows: m, inputs, rank, columns, width, offset, scale } = shape;
  const d = Float64Array.from({ length: m * columns }, (_, i) => {
    return scale * dOut[Math.floor(i / columns) * width + offset + i % columns];
  });
  const h = matmul(x, down, { m, n: rank, k: inputs, transposeB: true });
  const dH = matmul(d, up, { m, n: rank, k: columns });
  return {
    dX: matmul(dH, down, { m, n: inputs, k: rank }),
    dDown: matmul(dH, x, { m: rank, n: inputs, k: m, transposeA: true }),
    dUp: matmul(d, h, { m: columns, n: rank, k: m, transposeA: true }),
  };
}
