/**
 * The key/value cache of one layer.
 *
 * @module
 */
import { checkOptions, count } from "../formats/option_rules.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attention } from "../kernels/attention.ts";
import { attentionMix, attentionScores, part, whole } from "../kernels/attention_pattern.ts";
import { cacheAppend } from "../kernels/cache_append.ts";
import { softmax } from "../kernels/softmax.ts";

/** What keeps the keys and values of one layer. */
export interface AttentionCache {
  /** Appends the keys and values of qkv (B, T, 3·C) and attends causally over all: (B, T, C). */
  attend(qkv: Tensor, options: { heads: number; scale?: number }): Tensor;
}

/** Keys and values of the places seen so far, so that a new place costs one row. */
export class LayerCache implements AttentionCache {
  /** (B, capacity, C). */
  readonly keys: Tensor;
  /** (B, capacity, C). */
  readonly values: Tensor;
  /** Places filled so far. */
  length = 0;

  /** Room for `capacity` places. */
  constructor(device: Device, size: { batch: number; capacity: number; channels: number }) {
    checkOptions("Cannot make a cache", size, { batch: count, capacity: count, channels: count });
    const shape = [size.batch, size.capacity, size.channels];
    [this.keys, this.values] = device.pool.together(() => [
      device.tensor(shape),
      device.tensor(shape),
    ]);
  }

  /** Appends the keys and values of qkv (B, T, 3·C) and attends causally over all: (B, T, C). */
  attend(qkv: Tensor, { heads, scale }: { heads: number; scale?: number }): Tensor {
    const { device } = qkv;
    const [batch, time, tripled] = qkv.shape;
    const channels = tripled / 3;
    const past = this.length;
    cacheAppend(qkv, this.keys, { offset: channels, past });
    cacheAppend(qkv, this.values, { offset: 2 * channels, past });
    this.length += time;
    // A prompt needs no cache to see itself, and the fused kernel stores no T×T.
    if (past === 0 && time > 1) return attention(qkv, { heads, scale, causal: true }).out;
    const headSize = channels / heads;
    const shape = {
      batch,
      heads,
      queries: time,
      keys: this.length,
      headSize,
      scale: scale ?? 1 / Math.sqrt(headSize),
      causal: time > 1,
      past,
    };
    const scores = attentionScores(part(qkv, 0), whole(this.keys), shape);
    const out = device.tensor([batch, time, channels]);
    attentionMix(softmax(scores), whole(this.values), {
      shape: { ...shape, scale: 1 },
      out: whole(out),
    });
    return out;
  }
}
