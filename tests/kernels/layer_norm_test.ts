/**
 * Layer norm, forward and backward.
 *
 * @module
 */
import assert from "node:assert/strict";
import { layerNorm, layerNormBackward } from "../../src/kernels/layer_norm.ts";
import { assertClose, numbers } from "../compare.ts";
import { layerNorm as reference, layerNormBackward as backward } from "../reference/layer_norm.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

// Rows on both sides of a workgroup's, columns on both sides of a team of lanes, and long rows.
const SHAPES = [[1, 2], [7, 12], [9, 31], [29, 33], [3, 197], [87, 36], [5, 1028], [5, 1031], [
  1,
  4099,
]];
const epsilon = 1e-5;

for (const [name, device] of await openDevices()) {
  Deno.test(`layer norm, ${name}: forward with statistics, dX, accumulating`, async () => {
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      const size = rows * columns;
      // Rows that lie elsewhere and are wider, each in its own way.
      const x = numbers(size, 1).map((v, i) => {
        const r = Math.floor(i / columns);
        return (1 + r % 5) * v + 0.25 * (r % 3);
      });
      const [d, before] = [numbers(size, 2), numbers(size, 3)];
      const [weight, bias] = [numbers(columns, 4), numbers(columns, 5)];
      const [xs, ds, into] = [x, d, before].map((data) => upload(device, data, [rows, columns]));
      const [w, b] = [upload(device, weight), upload(device, bias)];
      poison(device, [rows, columns], [rows, columns], [rows]);
      const { out, mean, rstd } = layerNorm(xs, { weight: w, bias: b, epsilon });
      const dX = device.tensor([rows, columns]);
      const saved = { x: xs, weight: w, mean, rstd };
      layerNormBackward(ds, saved, { dX, accumulate: false });
      layerNormBackward(ds, saved, { dX: into, accumulate: true });
      const found = await device.read(out, mean, rstd, dX, into);
      const expected = reference(x, { weight, bias, epsilon });
      const { dX: expectedD } = backward(x, d, { weight, epsilon });
      const sum = expectedD.map((v, i) => v + before[i]);
      const label = `${rows}×${columns}`;
      assertClose(found[0], expected.out, { bound: 1e-6, label: `${label} out` });
      // A mean near zero is what large numbers of both signs leave: its error is theirs.
      assertEach(found[1], expected.mean, { absolute: 1e-6, label: `${label} mean` });
      assertClose(found[2], expected.rstd, { bound: 1e-6, label: `${label} rstd` });
      // Of two columns nothing is left but the epsilon: both terms cancel to 1e-5 of themselves.
      const bound = columns === 2 ? 1e-2 : 2e-6;
      assertClose(found[3], expectedD, { bound, label: `${label} dX` });
      assertClose(found[4], sum, { bound: 2e-6, label: `${label} accumulated` });
    }
  });

  Deno.test(`layer norm, ${name}: rows far from zero lose only what their elements' own rounding costs`, async () => {
    using _scope = device.scope();
    const [rows, columns] = [29, 197];
    const x = numbers(rows * columns, 1).map((v) => v + 100);
    const [weight, bias] = [numbers(columns, 4), new Float32Array(columns)];
    const { out } = layerNorm(upload(device, x, [rows, columns]), {
      weight: upload(device, weight),
      bias: upload(device, bias),
      epsilon,
    });
    const label = "mean 100";
    assertClose(await out.read(), reference(x, { weight, bias, epsilon }).out, {
      bound: 1e-5,
      label,
    });
  });

  Deno.test(`layer norm, ${name}: more rows than 65535 workgroups of eight`, async () => {
    using _scope = device.scope();
    const [rows, columns] = [65535 * 8 + 3, 3];
    const x = numbers(rows * columns, 1);
    const [weight, bias] = [numbers(columns, 4), numbers(columns, 5)];
    const xs = upload(device, x, [rows, columns]);
    const [w, b] = [upload(device, weight), upload(device, bias)];
    const { out, mean } = layerNorm(xs, { weight: w, bias: b, epsilon });
    const [found, foundMean] = await device.read(out, mean);
    const expected = reference(x, { weight, bias, epsilon });
    // Three numbers that happen to be close give a deviation of few digits.
    assertClose(found, expected.out, { bound: 1e-5, label: "out" });
    assertClose(foundMean, expected.mean, { bound: 1e-6, label: "mean" });
  });

  Deno.test(`layer norm, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const [x, d] = [1, 2].map((seed) => upload(device, numbers(29 * 197, seed), [29, 197]));
    const [weight, bias] = [3, 4].map((seed) => upload(device, numbers(197, seed)));
    await assertSameBytes(device, () => {
      const { out, mean, rstd } = layerNorm(x, { weight, bias, epsilon });
      const dX = device.tensor([29, 197]);
      layerNormBackward(d, { x, weight, mean, rstd }, { dX, accumulate: false });
      return [out, mean, rstd, dX];
    });
  });

  Deno.test(`layer norm, ${name}: weights of another size`, () => {
    using _scope = device.scope();
    const [x, weight, bias] = [[3, 29, 36], [35], [36]].map((shape) => device.tensor(shape));
    assert.throws(() => layerNorm(x, { weight, bias, epsilon }), {
      name: "VitrailError",
      message: "Cannot normalize rows of 36 with 35 weights and 36 biases: sizes must match",
    });
  });
}
