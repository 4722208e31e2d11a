/**
 * Reference of layer norm in its parts, over rows of `columns` numbers.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** x less the mean of its row. */
function centred(x: Numbers, columns: number): Float64Array {
  const out = Float64Array.from(x);
  for (let begin = 0; begin < x.length; begin += columns) {
    const row = out.subarray(begin, begin + columns);
    const mean = row.reduce((sum, v) => sum + v, 0) / columns;
    row.forEach((v, c) => row[c] = v - mean);
  }
  return out;
}

/** Σ over each row. */
function rowSums(x: Numbers, columns: number): Float64Array {
  const out = new Float64Array(x.length / columns);
  for (let i = 0; i < x.length; i++) out[Math.floor(i / columns)] += x[i];
  return out;
}

/** √(mean((x - mean)²) + epsilon) of each row. */
export function normScale(
  x: Numbers,
  { columns, epsilon }: { columns: number; epsilon: number },
): Float64Array {
  const squares = rowSums(centred(x, columns).map((v) => v * v), columns);
  return squares.map((sum) => Math.sqrt(sum / columns + epsilon));
}

/** dScale·(x - mean)/(columns·scale). */
export function normScaleBackward(
  x: Numbers,
  { columns, scale, dScale }: { columns: number; scale: Numbers; dScale: Numbers },
): Float64Array {
  return centred(x, columns).map((v, i) => {
    const r = Math.floor(i / columns);
    return dScale[r] * v / (columns * scale[r]);
  });
}

/** (x - mean)/scale. */
export function divideRows(
  x: Numbers,
  { columns, scale }: { columns: number; scale: Numbers },
): Float64Array {
  return centred(x, columns).map((v, i) => v / scale[Math.floor(i / columns)]);
}

/** dX = (dOut - mean(dOut))/scale, dScale = -Σ dOut·(x - mean)/scale². */
export function divideRowsBackward(
  x: Numbers,
  { columns, scale, dOut }: { columns: number; scale: Numbers; dOut: Numbers },
): { dX: Float64Array; dScale: Float64Array } {
  const products = centred(x, columns).map((v, i) => v * dOut[i]);
  return {
    dX: centred(dOut, columns).map((v, i) => v / scale[Math.floor(i / columns)]),
    dScale: rowSums(products, columns).map((sum, r) => -sum / scale[r] ** 2),
  };
}

/** x·weight + bias; without bias, the gradient of x. */
export function affine(
  x: Numbers,
  { weight, bias }: { weight: Numbers; bias?: Numbers },
): Float64Array {
  const columns = weight.length;
  return Float64Array.from(x, (v, i) => v * weight[i % columns] + (bias?.[i % columns] ?? 0));
}
