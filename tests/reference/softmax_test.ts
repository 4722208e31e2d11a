/**
 * The reference of softmax against finite differences.
 *
 * @module
 */
import assert from "node:assert/strict";
import { assertGradient } from "./finite_difference.ts";
import { doubles } from "./numbers.ts";
import { softmax, softmaxBackward } from "./softmax.ts";

Deno.test("softmax: dX, with masked entries", () => {
  const columns = 7;
  const x = doubles(21, 1).map((v) => 3 * v);
  x[2] = x[9] = -Infinity;
  const dOut = doubles(21, 2);
  const dX = softmaxBackward(softmax(x, columns), dOut, columns);
  assertGradient(dX, { f: (x) => softmax(x, columns), x, dOut, label: "dX" });
});

Deno.test("softmax of a row masked throughout is zeros", () => {
  assert.deepEqual(softmax([-Infinity, -3e38, 0, 0], 2), Float64Array.of(0, 0, 0.5, 0.5));
});
