/** The kernels that BERT's heads need: tanh, picking rows, squared and logistic losses. @module */

import assert from "node:assert/strict";
import { gatherRows, gatherRowsBackward } from "../../src/kernels/gather_rows.ts";
import { pointwiseLoss, pointwiseLossBackward } from "../../src/kernels/pointwise_loss.ts";
import { tanh, tanhBackward } from "../../src/kernels/tanh.ts";
import { assertClose, numbers } from "../compare.ts";
import * as rowsReference from "../reference/gather_rows.ts";
import * as lossReference from "../reference/pointwise_loss.ts";
import * as tanhReference from "../reference/tanh.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

for (const [name, device] of await openDevices()) {
  Deno.test(`tanh, ${name}: forward, backward, accumulating`, async () => {
    for (const size of [1, 33, 29 * 197]) {
      using _scope = device.scope();
      const x = numbers(size, 1).map((v, i) => i % 11 === 5 ? 1e4 * v : 4 * v);
      const [d, before] = [numbers(size, 2), numbers(size, 3)];
      poison(device, [size], [size]);
      const out = tanh(upload(device, x));
      const [dX, into] = [device.tensor([size]), upload(device, before)];
      tanhBackward(out, upload(device, d), { dX, accumulate: false });
      tanhBackward(out, upload(device, d), { dX: into, accumulate: true });
      const [found, foundD, foundSum] = await device.read(out, dX, into);
      const slope = tanhReference.tanhBackward(x, d);
      assertEach(found, tanhReference.tanh(x), { absolute: 5e-7, label: `size ${size}` });
      assertEach(foundD, slope, { absolute: 1e-6, label: `size ${size} dX` });
      assertEach(foundSum, slope.map((v, i) => v + before[i]), {
        absolute: 1e-6,
        label: `size ${size} accumulated`,
      });
    }
  });

  Deno.test(`gather rows, ${name}: to the last bit, any columns, single numbers too`, async () => {
    for (const [count, columns] of [[29, 36], [7, 197], [40, 1]]) {
      using _scope = device.scope();
      const [x, d] = [numbers(count * columns, 1), numbers(3 * columns, 2)];
      const before = numbers(count * columns, 3);
      const rows = Uint32Array.of(count - 1, 0, 4);
      const index = device.upload(rows, columns === 1 ? [1, 3] : [3]);
      const out = gatherRows(upload(device, x, [count, columns]), index, columns);
      assert.deepEqual(out.shape, columns === 1 ? [1, 3] : [3, columns]);
      const dX = upload(device, before, [count, columns]);
      gatherRowsBackward(upload(device, d, out.shape), index, dX);
      const [found, foundD] = await device.read(out, dX);
      const size = x.length;
      const added = rowsReference.gatherRowsBackward(d, rows, { columns, size });
      assert.deepEqual(Array.from(found), Array.from(rowsReference.gatherRows(x, rows, columns)));
      assert.deepEqual(foundD, before.map((v, i) => Math.fround(v + added[i])));
    }
  });

  Deno.test(`gather rows, ${name}: more rows than a dispatch has workgroups in one dimension`, async () => {
    using _scope = device.scope();
    const count = 65_537 + 29;
    const x = numbers(count, 1);
    const rows = Uint32Array.from({ length: count }, (_, i) => count - 1 - i);
    const out = gatherRows(upload(device, x, [count, 1]), device.upload(rows), 1);
    assert.deepEqual(await out.read(), x.toReversed());
  });

  for (const kind of ["squared", "logistic"] as const) {
    Deno.test(`${kind} loss, ${name}: mean, count and gradient; NaN is not asked for`, async () => {
      for (const size of [1, 29, 65 * 197]) {
        using _scope = device.scope();
        const x = numbers(size, 1).map((v, i) => i % 13 === 4 ? 300 * v : 5 * v);
        const y = numbers(size, 2).map((v, i) => i % 7 === 3 ? NaN : v);
        const [xs, ys] = [upload(device, x), upload(device, y)];
        const result = pointwiseLoss(xs, ys, kind);
        const dX = device.tensor([size]);
        pointwiseLossBackward(xs, ys, { kind, result, scale: 0.3, dX });
        const [[mean, n], d] = await device.read(result, dX);
        const wanted = lossReference.pointwiseLoss(x, y, kind);
        assert.equal(n, wanted.count);
        assertClose([mean], [wanted.mean], { bound: 2e-6, label: `size ${size}` });
        const slope = lossReference.pointwiseLossBackward(x, y, { kind, scale: 0.3 });
        assertClose(d, slope, { bound: 1e-6, label: `size ${size} dX` });
      }
    });
  }

  Deno.test(`losses, ${name}: with nothing asked all is zero; sizes that differ are refused`, async () => {
    using _scope = device.scope();
    const [x, y] = [upload(device, numbers(5, 1)), upload(device, new Float32Array(5).fill(NaN))];
    const result = pointwiseLoss(x, y, "logistic");
    const dX = device.tensor([5]);
    pointwiseLossBackward(x, y, { kind: "logistic", result, scale: 1, dX });
    const [mean, d] = await device.read(result, dX);
    assert.deepEqual([...mean, ...d], [0, 0, 0, 0, 0, 0, 0]);
    assert.throws(() => pointwiseLoss(x, device.tensor([2, 3]), "squared"), {
      message: "Cannot compare (5) with targets (2, 3): sizes must match",
    });
  });

  Deno.test(`heads' kernels, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const [x, y] = [upload(device, numbers(5713, 1)), upload(device, numbers(5713, 2))];
    await assertSameBytes(device, () => [tanh(x), pointwiseLoss(x, y, "logistic")]);
  });
}
