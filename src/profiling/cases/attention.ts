/**
 * Fused causal attention.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { attention, attentionBackward } from "../../kernels/attention.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch: B, time: T, channels, heads } = sizesFor(device);
  const options = { heads, causal: true };
  const forward = (name: string, headSize: number): Case => ({
    name,
    shape: `${B}×${T}, ${heads} heads of ${headSize}`,
    prepare: (device) => {
      const qkv = random(device, [B, T, 3 * heads * headSize]);
      return () => void attention(qkv, options);
    },
  });
  return [
    forward("attention forward", channels / heads),
    // Heads that are no multiple of four are filled up, and cut again.
    forward("attention forward odd", channels / heads - 1),
    {
      name: "attention backward",
      shape: `${B}×${T}, ${heads} heads of ${channels / heads}`,
      prepare: (device) => {
        const qkv = random(device, [B, T, 3 * channels]);
        const dOut = random(device, [B, T, channels], 2);
        const saved = attention(qkv, options);
        return () => void attentionBackward(qkv, dOut, { ...options, saved });
      },
    },
  ];
}
