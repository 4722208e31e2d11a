/**
 * The k largest numbers of each row, and what fires no longer.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { topK, topKBackward, updateAges } from "../../src/kernels/top_k.ts";
import { numbers } from "../compare.ts";
import { topK as reference } from "../reference/top_k.ts";
import { openDevices, poison, upload } from "./devices.ts";

/** Rows, columns and k: one of one, fewer columns than k, no multiples of anything, and many rows. */
const SHAPES = [[1, 1, 1], [3, 5, 7], [29, 197, 12], [87, 12, 5], [5, 196, 31], [1031, 36, 3]];

for (const [name, device] of await openDevices()) {
  for (const [rows, columns, k] of SHAPES) {
    const label = `${rows}×${columns}, k ${k}`;
    Deno.test(`top_k ${label}, ${name}: forward, backward, accumulating`, async () => {
      using _scope = device.scope();
      const size = rows * columns;
      const [x, d, before] = [1, 2, 3].map((seed) => numbers(size, seed));
      const [xs, ds, into] = [x, d, before].map((data) => upload(device, data, [rows, columns]));
      poison(device, [size], [size]);
      const out = topK(xs, k);
      const dX = device.tensor([rows, columns]);
      topKBackward(out, ds, { dX, accumulate: false });
      topKBackward(out, ds, { dX: into, accumulate: true });
      const [found, foundD, foundSum] = await device.read(out, dX, into);
      const expected = reference(x, columns, k);
      const slope = d.map((v, i) => expected[i] > 0 ? v : 0);
      assert.deepEqual([...found], [...expected]);
      assert.deepEqual([...foundD], [...slope]);
      assert.deepEqual([...foundSum], [...before.map((v, i) => Math.fround(v + slope[i]))]);
    });
  }

  Deno.test(`top_k, ${name}: of equal numbers the first count; nothing of a row without positive ones`, async () => {
    using _scope = device.scope();
    for (const columns of [12, 13]) {
      const row = Array.from({ length: columns }, (_, i) => [2, 1, 1, -3, 1, 0, -0][i % 7]);
      const x = Float32Array.from([...row, ...row.map((v) => -Math.abs(v)), ...row.map(() => 1)]);
      const [xs] = [upload(device, x, [3, columns])];
      for (const k of [1, 2, 3, 4, 6, columns, columns + 3]) {
        const found = await topK(xs, k).read();
        assert.deepEqual([...found], [...reference(x, columns, k)], `${columns} columns, k ${k}`);
      }
    }
  });

  Deno.test(`top_k, ${name}: very large, very small and close numbers are told apart`, async () => {
    using _scope = device.scope();
    const close = Float32Array.from({ length: 40 }, (_, i) => 1 + i * 2 ** -23);
    const x = Float32Array.from([3e38, 1e-30, Infinity, 1e30, 1e-20, ...close, 2e-38]);
    const xs = upload(device, x, [1, x.length]);
    for (const k of [1, 2, 3, 4, 17, 42, 43, 44, 45]) {
      assert.deepEqual([...await topK(xs, k).read()], [...reference(x, x.length, k)], `k ${k}`);
    }
  });

  Deno.test(`top_k, ${name}: ages of columns, and of old ones alone the largest`, async () => {
    using _scope = device.scope();
    for (const columns of [36, 197]) {
      const x = numbers(29 * columns, 5);
      const xs = upload(device, x, [29, columns]);
      const before = Uint32Array.from({ length: columns }, (_, i) => i * 7);
      const age = device.upload(before);
      const out = topK(xs, 1);
      updateAges(out, age);
      const old = topK(xs, 3, { old: { age, limit: 100 } });
      const [foundAge, foundOld] = await device.read(age, old);
      const first = reference(x, columns, 1);
      const expectedAge = [...before].map((a, column) =>
        first.some((v, i) => i % columns === column && v > 0) ? 0 : a + 29
      );
      assert.ok(expectedAge.some((a) => a === 0) && expectedAge.some((a) => a >= 100));
      assert.deepEqual([...foundAge], expectedAge);
      const expected = reference(x, columns, 3, (column) => expectedAge[column] >= 100);
      assert.deepEqual([...foundOld], [...expected]);
    }
  });

  Deno.test(`top_k, ${name}: what makes no sense is refused`, () => {
    using _scope = device.scope();
    const x = device.zeros([3, 5]);
    assert.throws(() => topK(x, 0), VitrailError);
    assert.throws(() => topK(x, 1.5), /wanted a whole number from 1/);
    const old = { age: device.zeros([4], "u32"), limit: 1 };
    assert.throws(() => topK(x, 1, { old }), /5 columns are old by 4 ages/);
  });
}
