/**
 * Attention with its pattern kept: each of its steps, its equality with fused attention, and a cache.
 *
 * @module
 */
import type { Tensor } from "../../src/gpu/tensor.ts";
import type { Device } from "../../src/gpu/device.ts";
import {
  attention,
  attentionBackward,
  type AttentionOptions,
} from "../../src/kernels/attention.ts";
import {
  attentionMix,
  attentionScores,
  packedMix,
  packedMixBackward,
  packedScores,
  packedScoresBackward,
  part,
  softmax,
  softmaxBackward,
  whole,
} from "../../src/kernels/attention_pattern.ts";
import { dropout } from "../../src/kernels/dropout.ts";
import { assertClose, numbers } from "../compare.ts";
import { attention as reference, attentionBackward as backward } from "../reference/attention.ts";
import { MASKED } from "../reference/softmax.ts";
import { type AttentionCase, maskedCases, plainCases } from "./attention_cases.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

/** What unfused attention computes, forward and backward. */
interface Unfused {
  scores: Tensor;
  pattern: Tensor;
  out: Tensor;
  dPattern: Tensor;
  dScores: Tensor;
  dQkv: Tensor;
}

function unfused(qkv: Tensor, dOut: Tensor, options: AttentionOptions): Unfused {
  const key = options.dropout;
  const scores = packedScores(qkv, options);
  const pattern = softmax(scores);
  const dropped = key ? dropout(pattern, key) : pattern;
  const out = packedMix(dropped, qkv, options);
  const dQkv = qkv.device.tensor(qkv.shape);
  const dDropped = packedMixBackward(dropped, qkv, { ...options, dOut, dQkv });
  const dPattern = key ? dropout(dDropped, key) : dDropped;
  const dScores = softmaxBackward(pattern, dPattern);
  packedScoresBackward(dScores, qkv, { ...options, dQkv });
  return { scores, pattern, out, dPattern, dScores, dQkv };
}

function hostOf({ batch, time, heads, headSize }: AttentionCase): Float32Array {
  return numbers(batch * time * 3 * heads * headSize, 1).map((v) => 2 * v);
}

function uploadCase(device: Device, shape: AttentionCase): [Tensor, Tensor, AttentionOptions] {
  const { batch, time, heads, headSize, causal, mask, scale, dropout } = shape;
  const channels = heads * headSize;
  const qkv = upload(device, Float32Array.from(hostOf(shape)), [batch, time, 3 * channels]);
  const dOut = upload(device, numbers(batch * time * channels, 2), [batch, time, channels]);
  const onDevice = mask && upload(device, Float32Array.from(mask.values), mask.shape);
  return [qkv, dOut, { heads, causal, scale, dropout, mask: onDevice }];
}

/** The last queries of a causal sequence against its cached keys and values. */
async function checkCache(device: Device, past: number, queries: number): Promise<void> {
  using _scope = device.scope();
  const [batch, heads, headSize, capacity] = [3, 3, 12, 150];
  const [time, channels] = [past + queries, heads * headSize];
  const host = hostOf({ label: "", batch, time, heads, headSize, causal: true });
  const [keys, values] = [0, 1].map((index) =>
    // What lies behind the last place is never looked at.
    new Float32Array(batch * capacity * channels).map((_, i) => {
      const [b, t] = [Math.floor(i / channels / capacity), Math.floor(i / channels) % capacity];
      if (t >= time) return NaN;
      return host[(b * time + t) * 3 * channels + (index + 1) * channels + i % channels];
    })
  ).map((data) => upload(device, data, [batch, capacity, channels]));
  // Packed like the result of the projection: only the new rows.
  const fresh = new Float32Array(batch * queries * 3 * channels).map((_, i) => {
    const [b, row] = [
      Math.floor(i / 3 / channels / queries),
      Math.floor(i / 3 / channels) % queries,
    ];
    return host[(b * time + past + row) * 3 * channels + i % (3 * channels)];
  });
  const qkv = upload(device, fresh, [batch, queries, 3 * channels]);
  const shape = { batch, heads, queries, keys: time, headSize, past, causal: true };
  poison(device, [batch, heads, queries, time], [batch, queries, channels]);
  const scale = 1 / Math.sqrt(headSize);
  const pattern = softmax(attentionScores(part(qkv, 0), whole(keys), { ...shape, scale }));
  const out = device.tensor([batch, queries, channels]);
  attentionMix(pattern, whole(values), { shape: { ...shape, scale: 1 }, out: whole(out) });
  const expected = reference(host, { batch, time, heads, headSize, causal: true }).out;
  const last = expected.filter((_, i) => Math.floor(i / channels) % time >= past);
  assertClose(await out.read(), last, { bound: 1e-6, label: `${queries} after ${past}` });
}

for (const [name, device] of await openDevices()) {
  Deno.test(`attention pattern, ${name}: scores, pattern, mix and their gradients`, async () => {
    for (const shape of [...plainCases(), ...maskedCases()]) {
      using _scope = device.scope();
      const [qkv, dOut, options] = uploadCase(device, shape);
      const { batch, heads, time, label } = shape;
      poison(device, qkv.shape, dOut.shape, [batch, heads, time, time], [batch, heads, time, time]);
      const steps = unfused(qkv, dOut, options);
      const found = await device.read(
        ...[steps.scores, steps.pattern, steps.out, steps.dPattern, steps.dScores, steps.dQkv],
      );
      const host = hostOf(shape);
      const d = numbers(dOut.size, 2);
      const { scores, pattern, out } = reference(host, shape);
      const { dPattern, dScores, dQkv } = backward(host, d, shape);
      // Hidden scores are some number or other, MASKED or less.
      const visible = (data: ArrayLike<number>) =>
        Float64Array.from(data, (v) => v <= MASKED ? 0 : v);
      assertClose(visible(found[0]), visible(scores), { bound: 1e-6, label: `${label}: scores` });
      const kept = found[0].findIndex((v, i) => (v <= MASKED) !== (scores[i] === -Infinity));
      if (kept !== -1) throw new Error(`${label}: score ${kept} is hidden or not, unlike its twin`);
      assertClose(found[1], pattern, { bound: 1e-6, label: `${label}: pattern` });
      assertClose(found[2], out, { bound: 1e-6, label: `${label}: out` });
      assertClose(found[3], dPattern, { bound: 1e-6, label: `${label}: dPattern` });
      if (time > 1) assertClose(found[4], dScores, { bound: 3e-6, label: `${label}: dScores` });
      assertClose(found[5], dQkv, { bound: 3e-6, label: `${label}: dQkv` });
    }
  });

  Deno.test(`attention pattern, ${name}: queries against a cache`, async () => {
    for (const [past, queries] of [[0, 29], [28, 1], [64, 1], [100, 29]]) {
      await checkCache(device, past, queries);
    }
  });

  Deno.test(`attention pattern, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const shape = maskedCases().findLast((c) => c.time === 29 && c.dropout)!;
    const [qkv, dOut, options] = uploadCase(device, shape);
    await assertSameBytes(device, () => {
      const { out, dQkv } = unfused(qkv, dOut, options);
      return [out, dQkv];
    });
  });

  if (name === "graphics") continue; // Fused attention takes seconds to compile.

  Deno.test("attention pattern: equal to fused attention, with masks and dropout", async () => {
    for (const shape of maskedCases().filter((c) => c.dropout)) {
      using _scope = device.scope();
      const [qkv, dOut, options] = uploadCase(device, shape);
      const twin = unfused(qkv, dOut, options);
      const saved = attention(qkv, options);
      const dQkv = attentionBackward(qkv, dOut, { ...options, saved });
      const found = await device.read(saved.out, dQkv, twin.out, twin.dQkv);
      assertClose(found[0], found[2], { bound: 1e-6, label: `${shape.label}: out` });
      assertClose(found[1], found[3], { bound: 3e-6, label: `${shape.label}: dQkv` });
    }
  });
}
