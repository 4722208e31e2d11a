/**
 * The k largest numbers of each row, in float64 and by sorting.
 *
 * @module
 */

/** The k largest of each row above zero among the `eligible` columns, zeros elsewhere; ties to the first. */
export function topK(
  x: ArrayLike<number>,
  columns: number,
  k: number,
  eligible: (column: number) => boolean = () => true,
): Float64Array {
  const out = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += columns) {
    Array.from({ length: columns }, (_, column) => column)
      .filter((column) => x[row + column] > 0 && eligible(column))
      .sort((a, b) => x[row + b] - x[row + a] || a - b)
      .slice(0, k)
      .forEach((column) => out[row + column] = x[row + column]);
  }
  return out;
}
