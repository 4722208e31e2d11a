/**
 * Random numbers that are a function of their keys: batch n of a run is the same however it is reached.
 *
 * @module
 */

/** Gives numbers from 0 to below 1, one after another. */
export type Random = () => number;

/** MurmurHash3's finalizer: every bit of the input changes about half of the output's. */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A sequence of its own for these keys (Mulberry32, begun at a hash of them). */
export function randomOf(...keys: readonly number[]): Random {
  let state = keys.reduce((h, key) => mix(Math.imul(h, 0x9e3779b1) ^ mix(key + 0x6d2b79f5)), 1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from 0 to below `count`. */
export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

/** Puts numbers in a random order, in place (Fisher and Yates). */
export function shuffle(numbers: Uint32Array, random: Random): void {
  for (let last = numbers.length - 1; last > 0; last--) {
    const other = below(random, last + 1);
    [numbers[last], numbers[other]] = [numbers[other], numbers[last]];
  }
}
