/**
 * Rows of length one, and gradients across them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { normalizeRows, projectRows } from "../../src/kernels/unit_rows.ts";
import { assertClose, numbers } from "../compare.ts";
import { openDevices, upload } from "./devices.ts";

const SHAPES = [[1, 1], [29, 12], [197, 7], [3, 197]];

for (const [name, device] of await openDevices()) {
  Deno.test(`unit_rows, ${name}: length one, and the part of a gradient across`, async () => {
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      const label = `${rows}×${columns}`;
      const weight = numbers(rows * columns, 1);
      // One row of zeros, which has no direction.
      if (rows > 1) weight.fill(0, columns, 2 * columns);
      const gradient = numbers(rows * columns, 2);
      const [w, g] = [weight, gradient].map((data) => upload(device, data, [rows, columns]));
      normalizeRows(w);
      projectRows(g, w);
      const [foundW, foundG] = await device.read(w, g);
      const expectedW = new Float64Array(weight);
      const expectedG = new Float64Array(gradient);
      for (let row = 0; row < rows * columns; row += columns) {
        const [unit, slope] = [expectedW, expectedG].map((a) => a.subarray(row, row + columns));
        const length = Math.hypot(...unit);
        if (length > 0) unit.forEach((v, i) => unit[i] = v / length);
        const along = unit.reduce((sum, v, i) => sum + v * slope[i], 0);
        slope.forEach((v, i) => slope[i] = v - along * unit[i]);
      }
      assertClose(foundW, expectedW, { bound: 1e-6, label: `${label} weight` });
      if (columns > 1) assertClose(foundG, expectedG, { bound: 1e-6, label: `${label} gradient` });
    }
  });

  Deno.test(`unit_rows, ${name}: shapes must match`, () => {
    using _scope = device.scope();
    const [w, g] = [device.zeros([3, 5]), device.zeros([3, 4])];
    assert.throws(() => projectRows(g, w), /Cannot project \(3, 4\) along the rows of \(3, 5\)/);
  });
}
