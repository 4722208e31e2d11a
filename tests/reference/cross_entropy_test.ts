/**
 * The reference of cross-entropy against finite differences.
 *
 * @module
 */
import assert from "node:assert/strict";
import { crossEntropy, crossEntropyBackward } from "./cross_entropy.ts";
import { assertGradient } from "./finite_difference.ts";
import { doubles } from "./numbers.ts";

Deno.test("cross-entropy: dLogits, with an ignored row", () => {
  const logits = doubles(35, 1).map((v) => 3 * v);
  const targets = [0, 6, -100, 3, 3];
  assertGradient(crossEntropyBackward(logits, targets, 0.25), {
    f: (logits) => Float64Array.of(0.25 * crossEntropy(logits, targets).mean),
    x: logits,
    dOut: Float64Array.of(1),
    label: "dLogits",
  });
});

Deno.test("cross-entropy of equal logits is the logarithm of the vocabulary's size", () => {
  const { mean, count } = crossEntropy(new Float64Array(3 * 197), [5, -100, 196]);
  assert.equal(count, 2);
  assert.ok(Math.abs(mean - Math.log(197)) < 1e-14);
});
