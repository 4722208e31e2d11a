/** Reference of picking rows. @module */

import type { Numbers } from "./numbers.ts";

/** Rows of x (…, columns) by their numbers. */
export function gatherRows(x: Numbers, rows: ArrayLike<number>, columns: number): Float64Array {
  const out = new Float64Array(rows.length * columns);
  Array.from(rows).forEach((row, i) => {
    for (let c = 0; c < columns; c++) out[i * columns + c] = x[row * columns + c];
  });
  return out;
}

/** dOut added to those rows of zeros (size). */
export function gatherRowsBackward(
  dOut: Numbers,
  rows: ArrayLike<number>,
  { columns, size }: { columns: number; size: number },
): Float64Array {
  const dX = new Float64Array(size);
  Array.from(rows).forEach((row, i) => {
    for (let c = 0; c < columns; c++) dX[row * columns + c] += dOut[i * columns + c];
  });
  return dX;
}
