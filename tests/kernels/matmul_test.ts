/**
 * Every matmul variant against a sum in float64, on odd shapes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import { matmul, type MatmulVariant } from "../../src/kernels/matmul.ts";
import { assertClose, numbers } from "../compare.ts";

const device = await openDevice();

for (const variant of ["row", "shared", "texels"] as MatmulVariant[]) {
  Deno.test(`matmul ${variant}, transposed or not, with bias, accumulating`, async () => {
    for (const [m, n, k] of [[87, 36, 108], [29, 197, 37], [3, 5, 1], [2, 130, 7]]) {
      for (
        const [transposeA, transposeB] of [[false, false], [false, true], [true, false], [
          true,
          true,
        ]]
      ) {
        // The row variant knows no transposed a; compiling one pipeline of the largest tile for
        // llvmpipe takes seconds, and it shares its text with the smaller one.
        if (variant === "row" && transposeA) continue;
        using _scope = device.scope();
        const [a, b, bias] = [numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3)];
        const before = numbers(m * n, 4);
        const out = device.upload(before, [m, n]);
        matmul(
          device.upload(a, transposeA ? [k, m] : [m, k]),
          device.upload(b, transposeB ? [n, k] : [k, n]),
          { transposeA, transposeB, bias: device.upload(bias), out, accumulate: true, variant },
        );
        const expected = Float64Array.from({ length: m * n }, (_, at) => {
          const [i, j] = [Math.floor(at / n), at % n];
          let sum = before[at] + bias[j];
          for (let q = 0; q < k; q++) {
            sum += a[transposeA ? q * m + i : i * k + q] * b[transposeB ? j * k + q : q * n + j];
          }
          return sum;
        });
        assertClose(await out.read(), expected, { bound: 1e-6, label: `${m}×${n}×${k}` });
      }
    }
  });
}

Deno.test("matmul says which inner dimensions differ", () => {
  const [a, b] = [device.tensor([2, 3]), device.tensor([4, 5])];
  assert.throws(() => matmul(a, b), {
    message: "Cannot multiply (2, 3) by (4, 5): inner dimensions must match, got 3 and 4",
  });
});
