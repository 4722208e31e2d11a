/** Integrals from 0 to 1: what a rule must be exact for. @module */
import assert from "node:assert/strict";
import { quadrature, VitrailError } from "../../mod.ts";
import { assertEach } from "../kernels/checks.ts";

Deno.test("Gauss and Legendre's points integrate polynomials up to twice their number less one", () => {
  for (const count of [1, 2, 5, 16, 64]) {
    const { points, weights } = quadrature("gauss-legendre", count);
    for (let degree = 0; degree < 2 * count; degree++) {
      const sum = points.reduce((total, x, i) => total + weights[i] * x ** degree, 0);
      const label = `${count} points, degree ${degree}`;
      assertEach([sum], [1 / (degree + 1)], { absolute: 1e-14, label });
    }
    const beyond = points.reduce((total, x, i) => total + weights[i] * x ** (2 * count), 0);
    if (count < 5) assert.notEqual(beyond.toFixed(4), (1 / (2 * count + 1)).toFixed(4));
  }
});

Deno.test("the three points that tables of the rule give", () => {
  const { points, weights } = quadrature("gauss-legendre", 3);
  const root = Math.sqrt(3 / 5) / 2;
  assertEach(points, [0.5 - root, 0.5, 0.5 + root], { absolute: 1e-15, label: "points" });
  assertEach(weights, [5 / 18, 8 / 18, 5 / 18], { absolute: 1e-14, label: "weights" });
});

Deno.test("the middles of equal parts", () => {
  const { points, weights } = quadrature("midpoint", 4);
  assert.deepEqual([points, weights], [[0.125, 0.375, 0.625, 0.875], [0.25, 0.25, 0.25, 0.25]]);
  for (const count of [0, 1.5, NaN]) {
    assert.throws(() => quadrature("midpoint", count), VitrailError);
  }
});
