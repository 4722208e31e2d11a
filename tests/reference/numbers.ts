/**
 * What the float64 references take, and seeded float64 inputs for them.
 *
 * @module
 */
import { numbers } from "../compare.ts";

/** Row-major inputs: Float64Array, or the Float32Array that a kernel got, whose values carry over exactly. */
export type Numbers = ArrayLike<number>;

/** Seeded float64 numbers in [-1, 1). */
export function doubles(size: number, seed: number): Float64Array {
  return Float64Array.from(numbers(size, seed));
}
