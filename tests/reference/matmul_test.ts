/**
 * The reference of matmul against finite differences.
 *
 * @module
 */
import { assertGradient } from "./finite_difference.ts";
import { matmul, matmulBackward, type MatmulShape } from "./matmul.ts";
import { doubles } from "./numbers.ts";

Deno.test("matmul: dA, dB and dBias for every transpose", () => {
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      const shape: MatmulShape = { m: 3, n: 5, k: 7, transposeA, transposeB };
      const [a, b, bias, dOut] = [21, 35, 5, 15].map(doubles);
      const { dA, dB, dBias } = matmulBackward(a, b, { ...shape, dOut });
      const label = JSON.stringify(shape);
      assertGradient(dA, { f: (a) => matmul(a, b, { ...shape, bias }), x: a, dOut, label });
      assertGradient(dB, { f: (b) => matmul(a, b, { ...shape, bias }), x: b, dOut, label });
      assertGradient(dBias, {
        f: (bias) => matmul(a, b, { ...shape, bias }),
        x: bias,
        dOut,
        label,
      });
    }
  }
});
