/**
 * Attention of one query to a cache in textures, against the last row of the float64 reference.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import {
  attentionDecode,
  type CacheFormat,
  decodeAppend,
  decodeCache,
  layersThatFit,
} from "../../src/kernels/attention_decode.ts";
import { assertClose, numbers } from "../compare.ts";
import { attention } from "../reference/attention.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
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

/** qkv (B, T, 3·C) as a place finds it: the keys and values before it as the cache keeps them. */
function asKept(
  qkv: Float32Array,
  past: number,
  size: { time: number; row: number; format: CacheFormat },
): Float32Array {
  const { time, row, format } = size;
  if (format === "f32") return qkv;
  const isKept = (i: number) => Math.floor(i / row) % time < past && i % row >= row / 3;
  return qkv.map((v, i) => isKept(i) ? Math.f16round(v) : v);
}

/**
 * How far rounding by 2⁻¹¹ may move row `past` of an attention: a key moves its score s by at most
 * e = 2⁻¹¹·scale·Σ|q·k|; a pattern whose scores move by E at most changes by a factor of at most exp(2·E),
 * and each value by 1 + 2⁻¹¹.
 */
function roundingBound(
  qkv: Float32Array,
  past: number,
  size: { batch: number; time: number; heads: number; headSize: number; pattern: Float64Array },
): Float64Array {
  const { batch, time, heads, headSize, pattern } = size;
  const C = heads * headSize;
  const out = new Float64Array(batch * C);
  const at = (b: number, t: number, part: number, c: number) =>
    Math.abs(qkv[((b * time + t) * 3 + part) * C + c]);
  for (let i = 0; i < batch * heads; i++) {
    const [b, h] = [Math.floor(i / heads), i % heads];
    const channels = Array.from({ length: headSize }, (_, d) => h * headSize + d);
    const moved = Array.from(
      { length: past },
      (_, t) => channels.reduce((sum, c) => sum + at(b, past, 0, c) * at(b, t, 1, c), 0),
    );
    const E = 2 ** -11 * Math.max(...moved) / Math.sqrt(headSize);
    const p = pattern.subarray((i * time + past) * time, (i * time + past + 1) * time);
    for (const c of channels) {
      const size = p.reduce((sum, weight, t) => sum + weight * at(b, t, 2, c), 0);
      out[b * C + c] = (Math.exp(2 * E) * (1 + 2 ** -11) - 1) * size;
    }
  }
  return out;
}

async function check(device: Device, shape: number[], format: CacheFormat): Promise<void> {
  using _scope = device.scope();
  const [layers, batch, heads, headSize, prompt, time] = shape;
  const row = 3 * heads * headSize;
  const size = { layers, batch, heads, headSize, capacity: time };
  const cache = decodeCache(device, size, { format });
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
  const whole = { batch, time, heads, headSize, causal: true };
  const exact = all.map((qkv) => attention(qkv, whole));
  for (let past = prompt; past < time; past++) {
    const fresh = all.map((qkv) => rowsAt(qkv, past, { time, row }));
    for (let layer = 0; layer < layers; layer++) {
      poison(device, [batch, 1, heads * headSize]);
      const qkv = upload(device, fresh[layer], [batch, 1, row]);
      const found = await attentionDecode(qkv, cache, { past, layer }).read();
      const kept = asKept(all[layer], past, { time, row, format });
      const { out } = format === "f32" ? exact[layer] : attention(kept, whole);
      const wanted = rowsAt(Float32Array.from(out), past, { time, row: row / 3 });
      const label = `${shape.join("×")} in ${format}, layer ${layer} at ${past}`;
      assertClose(found, wanted, { bound: 3e-6, label });
      if (format === "f32") continue;
      const unrounded = rowsAt(Float32Array.from(exact[layer].out), past, { time, row: row / 3 });
      const { pattern } = exact[layer];
      const bound = roundingBound(all[layer], past, { batch, time, heads, headSize, pattern });
      found.forEach((v, i) => {
        const off = Math.abs(v - unrounded[i]);
        assert.ok(off <= bound[i] + 1e-5, `${label}: [${i}] is off by ${off}, not ${bound[i]}`);
      });
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
    for (const shape of SHAPES) await check(device, shape, "f32");
  });

  Deno.test(`attention decode, ${name}: in f16, it sees all before it rounded to the nearest`, async () => {
    for (const shape of SHAPES) await check(device, shape, "f16");
  });

  Deno.test(`attention decode, ${name}: what f16 cannot hold is kept as its largest, not as infinity`, async () => {
    using _scope = device.scope();
    const size = { layers: 1, batch: 1, heads: 1, headSize: 4, capacity: 4 };
    const cache = decodeCache(device, size, { format: "f16" });
    // All scores are 0, so that three places are mixed in equal parts.
    const place = (...values: number[]) => [0, 0, 0, 0, 1e9, -1e9, 65519, 2, ...values];
    const given = [...place(1e9, -1e9, 65519, 3), ...place(0, 0, 65519, 5)];
    decodeAppend(upload(device, Float32Array.from(given), [1, 2, 12]), cache, { past: 0, time: 2 });
    const query = upload(device, Float32Array.from(place(0, 0, 0, 1)), [1, 1, 12]);
    const found = await attentionDecode(query, cache, { past: 2, layer: 0 }).read();
    const largest = 65504;
    const wanted = [largest / 3, -largest / 3, 2 * largest / 3, 3];
    assertEach(found, wanted, { relative: 1e-6, label: "mixed" });
    release(device, cache);
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

Deno.test("attention decode: a cache in f16 takes half the memory", async () => {
  const [[, device]] = await launches;
  const size = { layers: 3, batch: 3, heads: 5, headSize: 12, capacity: 1029 };
  const [wide, half] = (["f32", "f16"] as const).map((format) => {
    const before = device.textures.bytes;
    const cache = decodeCache(device, size, { format });
    const found = { bytes: device.textures.bytes - before, format: cache.keys.texture.format };
    release(device, cache);
    assert.equal(device.textures.bytes, before);
    return found;
  });
  // The least number of rows that hold as many texels, for keys and for values.
  const rows = Math.ceil(3 * 3 * 5 * 3 * 1032 / 2048);
  assert.deepEqual(wide, { bytes: 2 * rows * 2048 * 16, format: "rgba32float" });
  assert.deepEqual(half, { bytes: wide.bytes / 2, format: "rgba16float" });
});

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
