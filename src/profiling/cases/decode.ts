/**
 * What one token of generation costs: a row by a weight, attention to a cache. Textures that a case makes
 * go with the device.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { addPositions } from "../../kernels/add_positions.ts";
import { attentionDecode, decodeAppend, decodeCache } from "../../kernels/attention_decode.ts";
import { linearRow, rowNorm, rowWeight } from "../../kernels/linear_row.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { time, channels: C, heads } = sizesFor(device);
  const cached = (device: Device) => ({
    qkv: random(device, [1, 1, 3 * C]),
    cache: decodeCache(device, {
      layers: 1,
      batch: 1,
      heads,
      headSize: C / heads,
      capacity: time,
    }),
  });
  return [{
    name: "linear_row",
    shape: `1×${C}·${C}×${4 * C}, norm and GELU`,
    prepare: (device) => {
      const x = random(device, [1, C]);
      const weight = rowWeight(random(device, [C, 4 * C], 2), { transposed: false });
      const [scale, shift] = [3, 4].map((seed) => random(device, [C], seed));
      const norm = rowNorm({ weight: scale, bias: shift, epsilon: 1e-5 });
      const bias = random(device, [4 * C], 5);
      return () => void linearRow(x, weight, { norm, bias, gelu: "tanh" });
    },
  }, {
    name: "attention_decode",
    shape: `NH ${heads}, HS ${C / heads}, ${time} places`,
    prepare: (device) => {
      const { qkv, cache } = cached(device);
      return () => void attentionDecode(qkv, cache, { past: time - 1, layer: 0 });
    },
  }, {
    name: "attention_decode append",
    shape: `${C}`,
    prepare: (device) => {
      const { qkv, cache } = cached(device);
      return () => decodeAppend(qkv, cache, { past: time - 1, layer: 0 });
    },
  }, {
    name: "add_positions",
    shape: `${C}`,
    prepare: (device) => {
      const [x, position] = [random(device, [1, 1, C]), random(device, [time, C], 2)];
      const pads = device.zeros([1], "u32");
      return () => addPositions(x, { position, pads, past: time - 1 });
    },
  }];
}
