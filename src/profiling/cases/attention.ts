/**
 * Fused causal attention.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { attention, attentionBackward, type AttentionVariant } from "../../kernels/attention.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch: B, time: T, channels, heads } = sizesFor(device);
  const options = { heads, causal: true };
  // What ships for the other kind of adapter.
  const other: AttentionVariant = device.isCpu ? "shared-32" : "rows-4";
  const backward = (name: string, variant?: AttentionVariant): Case => ({
    name,
    shape: `${B}×${T}, ${heads} heads of ${channels / heads}`,
    prepare: (device) => {
      const qkv = random(device, [B, T, 3 * channels]);
      const dOut = random(device, [B, T, channels], 2);
      const saved = attention(qkv, { ...options, variant });
      return () => void attentionBackward(qkv, dOut, { ...options, saved, variant });
    },
  });
  const forward = (name: string, headSize: number, variant?: AttentionVariant): Case => ({
    name,
    shape: `${B}×${T}, ${heads} heads of ${headSize}`,
    prepare: (device) => {
      const qkv = random(device, [B, T, 3 * heads * headSize]);
      return () => void attention(qkv, { ...options, variant });
    },
  });
  return [
    forward("attention forward", channels / heads),
    // Heads that are no multiple of four are filled up, and cut again.
    forward("attention forward odd", channels / heads - 1),
    backward("attention backward"),
    forward(`attention ${other} forward`, channels / heads, other),
    backward(`attention ${other} backward`, other),
  ];
}
