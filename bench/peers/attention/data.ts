/**
 * What an attention is given.
 *
 * @module
 */

/** Queries, keys and values, each (B, T, C) with the heads side by side in C. */
export interface AttentionData {
  /** B. */
  batch: number;
  /** T. */
  time: number;
  /** NH. */
  heads: number;
  /** HS. */
  headSize: number;
  /** Whether a call also computes the gradients of q, k and v. */
  backward: boolean;
  /** Queries. */
  q: Float32Array<ArrayBuffer>;
  /** Keys. */
  k: Float32Array<ArrayBuffer>;
  /** Values. */
  v: Float32Array<ArrayBuffer>;
  /** Gradient of the output. */
  dOut: Float32Array<ArrayBuffer>;
}
