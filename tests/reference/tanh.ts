/** Reference of tanh. @module */

import type { Numbers } from "./numbers.ts";

/** tanh of each element. */
export function tanh(x: Numbers): Float64Array {
  return Float64Array.from(x, (v) => Math.tanh(v));
}

/** (1 - tanh²(x))·dOut of each element. */
export function tanhBackward(x: Numbers, dOut: Numbers): Float64Array {
  return Float64Array.from(x, (v, i) => dOut[i] / Math.cosh(v) ** 2);
}
