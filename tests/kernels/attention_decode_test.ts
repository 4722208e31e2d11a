/**
 * Attention of one query to a cache in textures, against the last row of the float64 reference.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import {
  attentionDecode,
  decodeAppend,
  decodeCache,
  layersThatFit,
} from "../../src/kernels/attention_decode.ts";
import { assertClose, numbers } from "../compare.ts";
import { attention } from "../reference/attention.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

/** Layers, batch, heads, head size, prompt and places in all. */
const SHAPES = [
  [1, 1, 1, 1, 1, 2],
  [2, 3, 2, 12, 29, 33],
  [3, 2, 3, 5, 7, 9],
  [1, 1, 2, 80, 5, 6], // more vectors of four than a processor has lanes
  [2, 1, 1, 64, 255, 259], // past the end of a tile
];

const release = (device: Device, cache: ReturnType<typeof decodeCache>): void =>
  [cache.keys, cache.values].forEach((texture) => device.textures.release(texture));

/** Row t of each sequence of qkv (B, T, 3·C). */
function rowsAt(
  qkv: Float32Array,
  t: number,
  size: { time: number; row: number },
): Float32Array<ArrayBuffer> {
  const { time, row } = size;
  const out = new Float32Array(qkv.length / time);
  for (let b = 0; b < out.length / row; b++) {
    out.set(qkv.subarray((b * time + t) * row, (b * time + t + 1) * row), b * row);
  }
  return out;
}

async function check(device: Device, shape: number[]): Promise<void> {
  using _scope = device.scope();
  const [layers, batch, heads, headSize, prompt, time] = shape;
  const row = 3 * heads * headSize;
  const size = { layers, batch, heads, headSize, capacity: time };
  const cache = decodeCache(device, size);
  // Large numbers, so that some scores are far above others.
  const all = Array.from({ length: layers }, (_, layer) => {
    return numbers(batch * time * row, layer + 1).map((v) => 4 * v);
  });
  all.forEach((qkv, layer) => {
    const given = Array.from({ length: batch }, (_, b) => {
      return Array.from(qkv.subarray(b * time * row, (b * time + prompt) * row));
    });
    const tensor = upload(device, Float32Array.from(given.flat()), [batch, prompt, row]);
    decodeAppend(tensor, cache, { past: 0, time: prompt, layer });
  });
  const expected = all.map((qkv) =>
    attention(qkv, { batch, time, heads, headSize, causal: true }).out
  );
  for (let past = prompt; past < time; past++) {
    const fresh = all.map((qkv) => rowsAt(qkv, past, { time, row }));
    for (let layer = 0; layer < layers; layer++) {
      poison(device, [batch, 1, heads * headSize]);
      const qkv = upload(device, fresh[layer], [batch, 1, row]);
      const found = await attentionDecode(qkv, cache, { past, layer }).read();
      const wanted = rowsAt(Float32Array.from(expected[layer]), past, { time, row: row / 3 });
      const label = `${shape.join("×")}, layer ${layer} at ${past}`;
      assertClose(found, wanted, { bound: 3e-6, label });
    }
    const joined = new Float32Array(layers * batch * row);
    fresh.forEach((values, layer) => joined.set(values, layer * batch * row));
    decodeAppend(upload(device, joined, [layers, batch * row]), cache, { past });
  }
  release(device, cache);
}

const launches = await openDevices();
for (const [name, device] of launches) {
  Deno.test(`attention decode, ${name}: each new place sees all before it, in every layer`, async () => {
    for (const shape of SHAPES) await check(device, shape);
  });

  Deno.test(`attention decode, ${name}: one prompt serves every sequence`, async () => {
    using _scope = device.scope();
    const [batch, heads, headSize, time, row] = [3, 2, 12, 5, 72];
    const size = { layers: 1, batch, heads, headSize, capacity: 6 };
    const prompt = upload(device, numbers(time * row, 1), [1, time, row]);
    const next = numbers(row, 2);
    const query = upload(device, Float32Array.from([...next, ...next, ...next]), [batch, 1, row]);
    const cache = decodeCache(device, size);
    decodeAppend(prompt, cache, { past: 0, sources: 1, time, layer: 0 });
    const found = await attentionDecode(query, cache, { past: time, layer: 0 }).read();
    const wanted = attention([...numbers(time * row, 1), ...next], {
      batch: 1,
      time: time + 1,
      heads,
      headSize,
      causal: true,
    }).out.slice(-row / 3);
    assertClose(found, [...wanted, ...wanted, ...wanted], { bound: 1e-6, label: "repeated" });
    release(device, cache);
  });

  Deno.test(`attention decode, ${name}: a first place sees itself; the same bytes`, async () => {
    using _scope = device.scope();
    const size = { layers: 1, batch: 2, heads: 2, headSize: 5, capacity: 300 };
    const cache = decodeCache(device, size);
    const qkv = numbers(2 * 30, 1);
    const found = await attentionDecode(upload(device, qkv, [2, 1, 30]), cache, {
      past: 0,
      layer: 0,
    }).read();
    assert.deepEqual(Array.from(found), [...qkv.subarray(20, 30), ...qkv.subarray(50, 60)]);
    const prompt = upload(device, numbers(2 * 290 * 30, 3), [2, 290, 30]);
    decodeAppend(prompt, cache, { past: 0, time: 290, layer: 0 });
    const next = upload(device, qkv, [2, 1, 30]);
    await assertSameBytes(device, () => [attentionDecode(next, cache, { past: 290, layer: 0 })]);
    release(device, cache);
  });
}

Deno.test("attention decode: as many layers share a cache as an adapter's textures hold", async () => {
  const [[, device]] = await launches;
  const most = device.raw.limits.maxTextureDimension2D * 2048;
  const size = { layers: 7, batch: 1, heads: 1, headSize: 1, capacity: 4 };
  assert.equal(layersThatFit(device, size), 7);
  assert.equal(layersThatFit(device, { ...size, capacity: Math.floor(most / 3) - 3 }), 3);
  const large = { ...size, capacity: 2 * most };
  assert.equal(layersThatFit(device, large), 1);
  assert.throws(() => decodeCache(device, large), /rows of 8192 are this adapter's most/);
});
