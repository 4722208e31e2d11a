/**
 * Reference of elementwise addition.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** `a + b`. */
export function add(a: Numbers, b: Numbers): Float64Array {
  return Float64Array.from(a, (value, i) => value + b[i]);
}

/** Both inputs get the gradient as it is. */
export function addBackward(dOut: Numbers): { dA: Float64Array; dB: Float64Array } {
  return { dA: Float64Array.from(dOut), dB: Float64Array.from(dOut) };
}
