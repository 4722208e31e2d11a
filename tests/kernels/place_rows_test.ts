/** Rows in the place of rows: to the last bit, and nothing else is touched. @module */

import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { placeRows } from "../../src/kernels/place_rows.ts";
import { numbers } from "../compare.ts";
import { openDevices, upload } from "./devices.ts";

for (const [name, device] of await openDevices()) {
  Deno.test(`rows in the place of rows, ${name}: any columns, other rows keep what they hold`, async () => {
    for (const [count, columns] of [[29, 36], [7, 197], [40, 1], [5, 12]]) {
      using _scope = device.scope();
      const [x, y] = [numbers(3 * columns, 1), numbers(count * columns, 2)];
      const [rows, into] = [[2, 0, 2, 1], [count - 1, 0, 3, 4]];
      const out = upload(device, y, [count, columns]);
      placeRows(upload(device, x, [3, columns]), out, {
        rows: device.upload(Uint32Array.from(rows)),
        into: device.upload(Uint32Array.from(into)),
        columns,
      });
      const expected = y.slice();
      rows.forEach((row, i) => {
        expected.set(x.subarray(row * columns, (row + 1) * columns), into[i] * columns);
      });
      assert.deepEqual(await out.read(), expected);
    }
  });

  Deno.test(`rows in the place of rows, ${name}: more than a dispatch has workgroups in one dimension`, async () => {
    using _scope = device.scope();
    const count = 65_537 + 29;
    const x = numbers(count, 1);
    const out = device.tensor([count, 1]);
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    placeRows(upload(device, x), out, {
      rows: device.upload(order.toReversed()),
      into: device.upload(order),
      columns: 1,
    });
    assert.deepEqual(await out.read(), x.toReversed());
  });

  Deno.test(`rows in the place of rows, ${name}: as many are taken as are put`, () => {
    using _scope = device.scope();
    const [x, out] = [device.zeros([3, 5]), device.zeros([3, 5])];
    const [rows, into] = [[0, 1], [2]].map((n) => device.upload(Uint32Array.from(n)));
    assert.throws(() => placeRows(x, out, { rows, into, columns: 5 }), VitrailError);
  });
}
