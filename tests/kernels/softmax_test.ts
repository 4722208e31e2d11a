/**
 * Softmax over rows, forward and backward.
 *
 * @module
 */
import assert from "node:assert/strict";
import { softmax, softmaxBackward } from "../../src/kernels/softmax.ts";
import { assertClose, numbers } from "../compare.ts";
import { softmax as reference, softmaxBackward as backward } from "../reference/softmax.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

const SHAPES = [[1, 1], [7, 8], [9, 29], [87, 33], [29, 197], [29, 196], [5, 1028], [5, 1031], [
  65535 * 8 + 3,
  2,
]];

/** The lowest number of f32, by which transformers hides a key. */
const LOWEST = -3.4028234663852886e38;

for (const [name, device] of await openDevices()) {
  Deno.test(`softmax, ${name}: forward and backward`, async () => {
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      // Rows far above and far below zero, where exp alone would overflow or vanish.
      const x = numbers(rows * columns, 1).map((v, i) =>
        8 * v + 500 * (Math.floor(i / columns) % 3 - 1)
      );
      const d = numbers(rows * columns, 2);
      const [xs, ds] = [x, d].map((data) => upload(device, data, [rows, columns]));
      poison(device, [rows, columns], [rows, columns]);
      const out = softmax(xs);
      const dX = softmaxBackward(out, ds);
      const [found, foundD] = await device.read(out, dX);
      const expected = reference(x, columns);
      const label = `${rows}×${columns}`;
      // A running sum of n numbers rounds like a random walk of n steps.
      assertClose(found, expected, { bound: 1e-6 + 2 ** -24 * Math.sqrt(columns), label });
      if (columns > 1) {
        assertClose(foundD, backward(expected, d, columns), { bound: 2e-6, label: `${label} dX` });
      } else {
        // A lone entry is 1 whatever it is, to the last bit.
        assert.deepEqual([...foundD], [0]);
      }
    }
  });

  Deno.test(`softmax, ${name}: masked entries get exactly nothing`, async () => {
    using _scope = device.scope();
    const [rows, columns] = [9, 37];
    const x = numbers(rows * columns, 1);
    // Every fifth, by each way of saying so; row 3 throughout; row 4 all but its last; rows 5 to 7
    // throughout by numbers that are finite, as masked scores are.
    x.forEach((_, i) => {
      if (i % 5 === 0) x[i] = [-Infinity, -3e38, LOWEST][i % 3];
    });
    x.fill(-Infinity, 3 * columns, 5 * columns - 1);
    x[5 * columns - 1] = -1e5;
    [-1e38, -3e38, LOWEST].forEach((v, r) => x.fill(v, (5 + r) * columns, (6 + r) * columns));
    const d = numbers(rows * columns, 2);
    const out = softmax(upload(device, x, [rows, columns]));
    const dX = softmaxBackward(out, upload(device, d, [rows, columns]));
    const [found, foundD] = await device.read(out, dX);
    const expected = reference(x, columns);
    assertClose(found, expected, { bound: 1e-6, label: "out" });
    assertClose(foundD, backward(expected, d, columns), { bound: 2e-6, label: "dX" });
    expected.forEach((p, i) => {
      if (p === 0) assert.deepEqual([found[i], foundD[i] + 0], [0, 0], `masked entry ${i}`);
    });
    assert.equal(found[5 * columns - 1], 1);
  });

  Deno.test(`softmax, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const x = upload(device, numbers(29 * 197, 1), [29, 197]);
    await assertSameBytes(device, () => {
      const out = softmax(x);
      return [out, softmaxBackward(out, x)];
    });
  });
}
