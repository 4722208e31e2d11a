/**
 * Writing keys and values into a cache: what is written, and what is left alone.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cacheAppend } from "../../src/kernels/cache_append.ts";
import { numbers } from "../compare.ts";
import { openDevices, upload } from "./devices.ts";

/** Batch, time, row, channels, capacity, offset, past. */
const SHAPES = [
  [1, 1, 1, 1, 1, 0, 0],
  [3, 29, 108, 36, 64, 36, 0], // the keys of a prompt
  [3, 1, 108, 36, 64, 72, 63], // the values of the last token that fits
  [2, 7, 3093, 1031, 9, 2062, 2],
];

for (const [name, device] of await openDevices()) {
  Deno.test(`cache append, ${name}: the new places, and no other`, async () => {
    for (const [batch, time, row, channels, capacity, offset, past] of SHAPES) {
      using _scope = device.scope();
      const [x, before] = [numbers(batch * time * row, 1), numbers(batch * capacity * channels, 2)];
      const cache = upload(device, before, [batch, capacity, channels]);
      cacheAppend(upload(device, x, [batch, time, row]), cache, { offset, past });
      const expected = before.map((old, i) => {
        const [c, place] = [i % channels, Math.floor(i / channels) % capacity];
        const [b, t] = [Math.floor(i / channels / capacity), place - past];
        return t >= 0 && t < time ? x[(b * time + t) * row + offset + c] : old;
      });
      assert.deepEqual(await cache.read(), expected);
    }
  });
}
