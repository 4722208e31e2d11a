/**
 * Reference of the linear layer: `x·W + b`.
 *
 * @module
 */
import { matmul } from "./matmul.ts";
import type { Numbers } from "./numbers.ts";

/** Sizes of a linear layer. */
export interface LinearShape {
  /** Rows of x. */
  rows: number;
  /** Columns of x. */
  inputs: number;
  /** Columns of the result. */
  outputs: number;
  /** The weight is stored (outputs, inputs). */
  transposed?: boolean;
}

/** x (rows, inputs) to (rows, outputs). */
export function linear(
  x: Numbers,
  parameters: { weight: Numbers; bias?: Numbers },
  shape: LinearShape,
): Float64Array {
  const { rows: m, inputs: k, outputs: n, transposed } = shape;
  return matmul(x, parameters.weight, { m, n, k, transposeB: transposed, bias: parameters.bias });
}

/** dX = dOut·Wᵀ, dW = xᵀ·dOut (as the weight is stored), dB = Σ_rows dOut. */
export function linearBackward(
  x: Numbers,
  dOut: Numbers,
  options: LinearShape & { weight: Numbers },
): { dX: Float64Array; dWeight: Float64Array; dBias: Float64Array } {
  const { rows, inputs, outputs, transposed, weight } = options;
  const dX = matmul(dOut, weight, { m: rows, n: inputs, k: outputs, transposeB: !transposed });
  const dWeight = transposed
    ? matmul(dOut, x, { m: outputs, n: inputs, k: rows, transposeA: true })
    : matmul(x, dOut, { m: inputs, n: outputs, k: rows, transposeA: true });
  const ones = new Float64Array(rows).fill(1);
  return { dX, dWeight, dBias: matmul(ones, dOut, { m: 1, n: outputs, k: rows }) };
}
