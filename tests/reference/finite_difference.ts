/**
 * Central finite differences in float64: the judge of every hand-written backward pass.
 *
 * @module
 */
import { assertClose } from "../compare.ts";

/**
 * The gradient of Σ dOut·f(x) with respect to x, by (f(x + h) - f(x - h))/2h.
 *
 * With h = 1e-5 truncation costs about h² = 1e-10 and cancellation 1e-16/h = 1e-11, relative to
 * numbers near one: four digits to spare below the 1e-6 that we ask for.
 */
export function finiteDifference(
  f: (x: Float64Array) => Float64Array,
  x: Float64Array,
  dOut: Float64Array,
): Float64Array {
  const h = 1e-5;
  const moved = x.slice();
  const at = (i: number, value: number): number => {
    moved[i] = value;
    const out = f(moved);
    moved[i] = x[i];
    return out.reduce((sum, v, j) => sum + v * dOut[j], 0);
  };
  return x.map((value, i) => (at(i, value + h) - at(i, value - h)) / (2 * h));
}

/** Fails if `gradient` differs from finite differences by more than 1e-6, relatively. */
export function assertGradient(
  gradient: Float64Array,
  options: {
    f: (x: Float64Array) => Float64Array;
    x: Float64Array;
    dOut: Float64Array;
    label: string;
  },
): void {
  const { f, x, dOut, label } = options;
  assertClose(gradient, finiteDifference(f, x, dOut), { bound: 1e-6, label });
}
