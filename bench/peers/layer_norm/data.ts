/**
 * What a layer norm is given.
 *
 * @module
 */

/** A call turns x into its norm; the next one takes that. */
export interface LayerNormData {
  /** Rows of x. */
  rows: number;
  /** C. */
  columns: number;
  /** Added to the variance. */
  epsilon: number;
  /** (rows, columns). */
  x: Float32Array<ArrayBuffer>;
  /** (columns). */
  weight: Float32Array<ArrayBuffer>;
  /** (columns). */
  bias: Float32Array<ArrayBuffer>;
}
