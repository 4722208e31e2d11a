/**
 * Attention with its pattern kept, and one query against a cache of keys and values.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import {
  attentionMix,
  attentionScores,
  packedMix,
  packedMixBackward,
  packedScores,
  part,
  whole,
} from "../../kernels/attention_pattern.ts";
import { cacheAppend } from "../../kernels/cache_append.ts";
import { softmax } from "../../kernels/softmax.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels: C, heads } = sizesFor(device);
  // Patterns are for those who look inside, and for one token at a time: neither has such batches.
  const [B, T] = [Math.ceil(batch / 4), time / 2];
  const options = { heads, causal: true };
  const shape = `${B}×${T}, ${heads} heads of ${C / heads}`;
  const query = { batch: B, heads, queries: 1, keys: T, headSize: C / heads, past: T - 1 };
  return [{
    name: "attention_pattern forward",
    shape,
    prepare: (device) => {
      const qkv = random(device, [B, T, 3 * C]);
      return () => void packedMix(packedScores(qkv, options), qkv, options);
    },
  }, {
    name: "attention_pattern mix backward",
    shape,
    prepare: (device) => {
      const qkv = random(device, [B, T, 3 * C]);
      const dOut = random(device, [B, T, C], 2);
      const dQkv = device.zeros(qkv.shape);
      const pattern = softmax(packedScores(qkv, options));
      return () => void packedMixBackward(pattern, qkv, { ...options, dOut, dQkv });
    },
  }, {
    name: "attention_pattern cached",
    shape: `${B}×1 of ${T}, ${heads} heads of ${C / heads}`,
    prepare: (device) => {
      const qkv = random(device, [B, 1, 3 * C]);
      const [keys, values] = [1, 2].map((seed) => random(device, [B, T, C], seed));
      const out = device.tensor([B, 1, C]);
      return () => {
        const shape = { ...query, scale: 1, causal: true };
        const scores = attentionScores(part(qkv, 0), whole(keys), shape);
        attentionMix(scores, whole(values), { shape, out: whole(out) });
      };
    },
  }, {
    name: "cache_append",
    shape: `${B}×${T}×${C}`,
    prepare: (device) => {
      const x = random(device, [B, T, 3 * C]);
      const cache = device.zeros([B, T, C]);
      return () => cacheAppend(x, cache, { offset: C, past: 0 });
    },
  }];
}
