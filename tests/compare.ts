/**
 * Comparison of arrays of numbers.
 *
 * @module
 */
import assert from "node:assert/strict";

/** ‖actual - expected‖/‖expected‖. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(difference / Math.max(norm, 1e-30));
}

/** Fails if the relative error is over `bound`, or no number. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  options: { bound: number; label: string },
): void {
  const found = relativeError(actual, expected);
  assert.ok(found <= options.bound, `${options.label}: relative error ${found} > ${options.bound}`);
}

/** Seeded numbers in [-1, 1), the same on every machine. */
export function numbers(size: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed >>> 0;
  return new Float32Array(size).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}
