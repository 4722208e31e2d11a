/**
 * The reference of the divergence against finite differences.
 *
 * @module
 */
import assert from "node:assert/strict";
import { assertGradient } from "./finite_difference.ts";
import { klDivergence, klDivergenceBackward } from "./kl_divergence.ts";
import { doubles } from "./numbers.ts";

Deno.test("KL divergence: dLogits", () => {
  const [x, teacher] = [1, 2].map((seed) => doubles(35, seed).map((v) => 3 * v));
  assertGradient(klDivergenceBackward(x, teacher, { rows: 5, scale: 0.25 }), {
    f: (x) => klDivergence(x, teacher, 5),
    x,
    dOut: new Float64Array(5).fill(0.25),
    label: "dLogits",
  });
});

Deno.test("KL divergence from (3/4, 1/4) to (1/2, 1/2), by hand; from anything to itself, 0", () => {
  const [kl] = klDivergence([7, 7], [Math.log(3), 0], 1);
  assert.ok(Math.abs(kl - (0.75 * Math.log(1.5) + 0.25 * Math.log(0.5))) < 1e-15);
  assert.deepEqual([...klDivergence([1, 2, 3], [1, 2, 3], 1)], [0]);
});
