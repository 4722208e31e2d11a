/**
 * Fused causal attention. Forward is two products of T×T by HS for each head, backward five; a causal
 * mask leaves half of each. What the backward pass computes again is not counted.
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import { attention, attentionBackward } from "../../src/kernels/attention.ts";
import type { Case } from "../harness.ts";
import { random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch: B, time: T, channels: C, heads } = sizesFor(device);
  const product = 2 * B * T * T * C / 2;
  const row = 4 * B * T * C;
  const statistics = 4 * B * heads * T;
  const shape = `${B}×${T}, ${heads} heads of ${C / heads}`;
  const options = { heads, causal: true };
  return [{
    name: "attention forward",
    shape,
    flops: 2 * product,
    bytes: 4 * row + statistics,
    prepare: (device) => {
      const qkv = random(device, [B, T, 3 * C]);
      return () => void attention(qkv, options);
    },
  }, {
    name: "attention backward",
    shape,
    flops: 5 * product,
    bytes: 8 * row + statistics,
    prepare: (device) => {
      const qkv = random(device, [B, T, 3 * C]);
      const dOut = random(device, [B, T, C], 2);
      const saved = attention(qkv, options);
      return () => void attentionBackward(qkv, dOut, { ...options, saved });
    },
  }];
}
