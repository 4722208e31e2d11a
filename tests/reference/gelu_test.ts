/**
 * The reference of GELU against finite differences, and its error function against an integral.
 *
 * @module
 */
import assert from "node:assert/strict";
import { assertGradient } from "./finite_difference.ts";
import { erfc, gelu, geluBackward } from "./gelu.ts";
import { doubles } from "./numbers.ts";

/** 2/√π·∫ exp(-t²) from x to x + 12, by Simpson's rule. */
function integral(x: number): number {
  const steps = 100_000;
  const h = 12 / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
    sum += weight * Math.exp(-((x + i * h) ** 2));
  }
  return sum * h / 3 * 2 / Math.sqrt(Math.PI);
}

Deno.test("erfc is the integral of the normal curve, relatively to 1e-12", () => {
  for (const x of [-6, -2, -1.999, -0.3, 0, 1e-3, 0.5, 1, 1.999, 2, 2.001, 3.7, 5]) {
    const expected = integral(x);
    const error = Math.abs(erfc(x) - expected) / expected;
    assert.ok(error < 1e-12, `erfc(${x}) = ${erfc(x)}, integral ${expected}, error ${error}`);
  }
});

Deno.test("gelu: dX, exact and approximate", () => {
  const x = doubles(41, 1).map((v) => 4 * v);
  const dOut = doubles(41, 2);
  for (const kind of ["erf", "tanh"] as const) {
    assertGradient(geluBackward(x, dOut, kind), { f: (x) => gelu(x, kind), x, dOut, label: kind });
  }
});
