/**
 * Reference of GELU, with an error function good to the last digits of float64.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** erfc(x) = 1 - erf(x), without cancellation on either side. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  const gauss = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x < 2) {
    // erf(x) = 2/√π·exp(-x²)·Σ 2ⁿx²ⁿ⁺¹/(2n+1)!!, of positive terms only (Abramowitz & Stegun 7.1.6).
    let [term, sum] = [x, x];
    for (let n = 1; term > sum * 1e-18; n++) sum += term *= 2 * x * x / (2 * n + 1);
    return 1 - 2 * gauss * sum;
  }
  // The continued fraction (Abramowitz & Stegun 7.1.14), from its far end.
  let fraction = x;
  for (let n = 200; n > 0; n--) fraction = x + n / 2 / fraction;
  return gauss / fraction;
}

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

/** x·Φ(x) of each element. */
export function gelu(x: Numbers, kind: "erf" | "tanh"): Float64Array {
  return Float64Array.from(x, (v) => {
    if (kind === "erf") return v * 0.5 * erfc(-v / Math.SQRT2);
    return 0.5 * v * (1 + Math.tanh(SQRT_2_OVER_PI * (v + 0.044715 * v ** 3)));
  });
}

/** gelu'(x)·dOut of each element. */
export function geluBackward(x: Numbers, dOut: Numbers, kind: "erf" | "tanh"): Float64Array {
  return Float64Array.from(x, (v, i) => {
    if (kind === "erf") {
      const density = Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI);
      return dOut[i] * (0.5 * erfc(-v / Math.SQRT2) + v * density);
    }
    const t = Math.tanh(SQRT_2_OVER_PI * (v + 0.044715 * v ** 3));
    const inner = SQRT_2_OVER_PI * (1 + 3 * 0.044715 * v * v);
    // 1 - tanh² overflows to nothing times infinity for huge v: there the slope is 0 or 1.
    const bend = Math.abs(t) === 1 ? 0 : 0.5 * v * (1 - t * t) * inner;
    return dOut[i] * (0.5 * (1 + t) + bend);
  });
}
