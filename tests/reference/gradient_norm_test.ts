/**
 * The reference of the gradient norm: what is clipped has the norm that was asked for.
 *
 * @module
 */
import assert from "node:assert/strict";
import { gradientNorm } from "./gradient_norm.ts";
import { doubles } from "./numbers.ts";

Deno.test("gradient norm: clipping brings the norm to the limit, and leaves what is below it", () => {
  const gradients = [doubles(29, 1), doubles(1, 2), doubles(197, 3)];
  const { norm, factor } = gradientNorm(gradients, 0.5);
  const clipped = gradients.map((g) => g.map((v) => v * factor));
  assert.ok(norm > 0.5);
  // The 1e-6 in the denominator leaves it that much below, relatively to the norm.
  assert.ok(Math.abs(gradientNorm(clipped, 0.5).norm - 0.5) < 1e-6);
  assert.equal(gradientNorm(gradients, norm * 2).factor, 1);
  assert.equal(gradientNorm(gradients, 0).factor, 1);
});

Deno.test("gradient norm: the sums of the tensors add up to its square", () => {
  const { norm, sums } = gradientNorm([[3], [0, 4]], 1);
  assert.deepEqual(sums, Float64Array.of(9, 16));
  assert.equal(norm, 5);
});
