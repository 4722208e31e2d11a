/**
 * The residual connection with the layer norm behind it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { addNorm } from "../../src/kernels/layer_norm.ts";
import { assertClose, numbers } from "../compare.ts";
import { layerNorm as reference } from "../reference/layer_norm.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

// Rows on both sides of a workgroup's, columns on both sides of a team of lanes, and long rows.
const SHAPES = [[1, 2], [7, 12], [9, 31], [29, 33], [3, 197], [87, 36], [5, 1028], [5, 1031]];
const epsilon = 1e-5;

for (const [name, device] of await openDevices()) {
  Deno.test(`add and norm, ${name}: sum, norm and statistics, near zero and far from it`, async () => {
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      const a = numbers(rows * columns, 1).map((v, i) => v + 3 * (Math.floor(i / columns) % 4));
      const b = numbers(rows * columns, 2);
      const [weight, bias] = [numbers(columns, 4), numbers(columns, 5)];
      const [as, bs] = [a, b].map((data) => upload(device, data, [rows, columns]));
      poison(device, [rows, columns], [rows, columns], [rows]);
      const result = addNorm(as, bs, {
        weight: upload(device, weight),
        bias: upload(device, bias),
        epsilon,
      });
      const { sum, out, mean, rstd } = result;
      const found = await device.read(sum, out, mean, rstd);
      // Sums of f32 numbers, rounded once: the norm is that of what is stored.
      const sums = a.map((v, i) => v + b[i]);
      const expected = reference(sums, { weight, bias, epsilon });
      const label = `${rows}×${columns}`;
      assertEach(found[0], sums, { absolute: 0, label: `${label} sum` });
      assertClose(found[1], expected.out, { bound: columns === 2 ? 1e-5 : 2e-6, label });
      assertEach(found[2], expected.mean, { absolute: 2e-6, label: `${label} mean` });
      assertClose(found[3], expected.rstd, { bound: columns === 2 ? 1e-5 : 2e-6, label });
    }
  });

  Deno.test(`add and norm, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const [a, b] = [1, 2].map((seed) => upload(device, numbers(29 * 197, seed), [29, 197]));
    const [weight, bias] = [3, 4].map((seed) => upload(device, numbers(197, seed)));
    await assertSameBytes(device, () => {
      const { sum, out, mean, rstd } = addNorm(a, b, { weight, bias, epsilon });
      return [sum, out, mean, rstd];
    });
  });

  Deno.test(`add and norm, ${name}: shapes that do not match`, () => {
    using _scope = device.scope();
    const [a, b, weight, bias] = [[3, 36], [3, 35], [36], [35]].map((s) => device.tensor(s));
    assert.throws(() => addNorm(a, b, { weight, bias: weight, epsilon }), {
      name: "VitrailError",
      message: "Cannot add (3, 36) and (3, 35): shapes must match",
    });
    assert.throws(() => addNorm(a, a, { weight, bias, epsilon }), {
      name: "VitrailError",
      message: "Cannot normalize rows of 36 with 36 weights and 35 biases: sizes must match",
    });
  });
}
