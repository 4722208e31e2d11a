/**
 * The reference of the linear layer against finite differences.
 *
 * @module
 */
import { assertGradient } from "./finite_difference.ts";
import { linear, linearBackward, type LinearShape } from "./linear.ts";
import { doubles } from "./numbers.ts";

Deno.test("linear: dX, dWeight and dBias, transposed or not", () => {
  for (const transposed of [false, true]) {
    const shape: LinearShape = { rows: 5, inputs: 3, outputs: 7, transposed };
    const [x, weight, bias, dOut] = [15, 21, 7, 35].map(doubles);
    const { dX, dWeight, dBias } = linearBackward(x, dOut, { ...shape, weight });
    const label = `transposed ${transposed}`;
    assertGradient(dX, { f: (x) => linear(x, { weight, bias }, shape), x, dOut, label });
    assertGradient(dWeight, {
      f: (weight) => linear(x, { weight, bias }, shape),
      x: weight,
      dOut,
      label,
    });
    assertGradient(dBias, {
      f: (bias) => linear(x, { weight, bias }, shape),
      x: bias,
      dOut,
      label,
    });
  }
});
