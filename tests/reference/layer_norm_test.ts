/**
 * The reference of layer norm against finite differences.
 *
 * @module
 */
import { assertGradient } from "./finite_difference.ts";
import { layerNorm, layerNormBackward } from "./layer_norm.ts";
import { doubles } from "./numbers.ts";

Deno.test("layer norm: dX, dWeight and dBias", () => {
  const [rows, columns, epsilon] = [3, 7, 1e-5];
  const [x, dOut] = [doubles(rows * columns, 1), doubles(rows * columns, 2)];
  const [weight, bias] = [doubles(columns, 3), doubles(columns, 4)];
  const { dX, dWeight, dBias } = layerNormBackward(x, dOut, { weight, epsilon });
  const f = (x: Float64Array) => layerNorm(x, { weight, bias, epsilon }).out;
  assertGradient(dX, { f, x, dOut, label: "dX" });
  assertGradient(dWeight, {
    f: (weight) => layerNorm(x, { weight, bias, epsilon }).out,
    x: weight,
    dOut,
    label: "dWeight",
  });
  assertGradient(dBias, {
    f: (bias) => layerNorm(x, { weight, bias, epsilon }).out,
    x: bias,
    dOut,
    label: "dBias",
  });
});
