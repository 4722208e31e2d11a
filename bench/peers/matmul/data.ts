/**
 * What a pair of products is given.
 *
 * @module
 */

/**
 * A call turns x into (x·up)·down. It is a chain, because a lazy library never computes a product that
 * nobody reads.
 */
export interface Products {
  /** Rows of x. */
  rows: number;
  /** Columns of x. */
  inner: number;
  /** Columns between the two products. */
  outer: number;
  /** (rows, inner). */
  x: Float32Array<ArrayBuffer>;
  /** (inner, outer). */
  up: Float32Array<ArrayBuffer>;
  /** (outer, inner). */
  down: Float32Array<ArrayBuffer>;
}
