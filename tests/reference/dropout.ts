/**
 * Reference of dropout, with the shader's counter-based generator to the bit.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** Names the random numbers of one place in one step. */
export interface DropoutKey {
  /** Probability of dropping. */
  probability: number;
  /** Seed of the run. */
  seed: number;
  /** Step of the run. */
  step: number;
  /** Which dropout within the step. */
  place: number;
}

/** pcg4d of Jarzynski & Olano, "Hash Functions for GPU Rendering" (JCGT 9(3), 2020), listing 1. */
export function pcg4d(input: readonly [number, number, number, number]): number[] {
  let [x, y, z, w] = input.map((n) => Math.imul(n, 1664525) + 1013904223 | 0);
  const mix = () => {
    x = x + Math.imul(y, w) | 0;
    y = y + Math.imul(z, x) | 0;
    z = z + Math.imul(x, y) | 0;
    w = w + Math.imul(y, z) | 0;
  };
  mix();
  [x, y, z, w] = [x, y, z, w].map((n) => n ^ (n >>> 16));
  mix();
  return [x, y, z, w].map((n) => n >>> 0);
}

/** A number in [0, 1) of 24 bits, which f32 holds exactly. */
export function uniform(counter: readonly [number, number, number, number]): number {
  return (pcg4d(counter)[0] >>> 8) / 2 ** 24;
}

/** What element i is multiplied by: 0, or 1/(1 - p). */
export function dropoutFactor(i: number, key: DropoutKey): number {
  const u = uniform([i, key.place, key.step, key.seed]);
  // The device compares with the probability as f32 holds it.
  return u >= Math.fround(key.probability) ? 1 / (1 - key.probability) : 0;
}

/** x·keep/(1 - p). */
export function dropout(x: Numbers, key: DropoutKey): Float64Array {
  return Float64Array.from(x, (value, i) => value * dropoutFactor(i, key));
}

/** The same mask over the gradient. */
export function dropoutBackward(dOut: Numbers, key: DropoutKey): Float64Array {
  return Float64Array.from(dOut, (d, i) => d * dropoutFactor(i, key));
}
