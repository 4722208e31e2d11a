/**
 * The reference of dropout against finite differences, and its generator against what is asked of one.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dropout, dropoutBackward, dropoutFactor, type DropoutKey, pcg4d } from "./dropout.ts";
import { assertGradient } from "./finite_difference.ts";
import { doubles } from "./numbers.ts";

const key: DropoutKey = { probability: 0.3, seed: 7, step: 11, place: 2 };

/** pcg4d again, in integers of any length cut to 32 bits. */
function pcg4dOfBigInts(input: readonly number[]): number[] {
  const cut = (n: bigint) => BigInt.asUintN(32, n);
  const v = input.map((n) => cut(BigInt(n) * 1664525n + 1013904223n));
  const mix = () => {
    for (const [to, a, b] of [[0, 1, 3], [1, 2, 0], [2, 0, 1], [3, 1, 2]]) {
      v[to] = cut(v[to] + v[a] * v[b]);
    }
  };
  mix();
  v.forEach((n, i) => v[i] = n ^ (n >> 16n));
  mix();
  return v.map(Number);
}

Deno.test("pcg4d wraps at 32 bits", () => {
  for (const input of [[0, 0, 0, 0], [1, 2, 3, 4], [4294967295, 1, 2147483648, 99]] as const) {
    assert.deepEqual(pcg4d(input), pcg4dOfBigInts(input));
  }
});

Deno.test("dropout: dX", () => {
  const [x, dOut] = [doubles(37, 1), doubles(37, 2)];
  assertGradient(dropoutBackward(dOut, key), { f: (x) => dropout(x, key), x, dOut, label: "dX" });
});

Deno.test("dropout drops its share, and another share at another key", () => {
  const size = 20_000;
  const kept = (k: DropoutKey) => Array.from({ length: size }, (_, i) => dropoutFactor(i, k) > 0);
  const first = kept(key);
  const share = first.filter(Boolean).length / size;
  // Five standard deviations of a binomial share.
  assert.ok(Math.abs(share - 0.7) < 5 * Math.sqrt(0.3 * 0.7 / size), `kept ${share}`);
  for (const other of [{ seed: 8 }, { step: 12 }, { place: 3 }]) {
    const second = kept({ ...key, ...other });
    const both = first.filter((k, i) => k && second[i]).length / size;
    const bound = 5 * Math.sqrt(0.49 * 0.51 / size);
    assert.ok(Math.abs(both - 0.49) < bound, `${JSON.stringify(other)}: kept by both ${both}`);
  }
});
