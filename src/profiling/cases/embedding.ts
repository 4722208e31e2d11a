/**
 * Embeddings; the backward pass adds into the tables.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import {
  embedding,
  embeddingPositionBackward,
  embeddingTokenBackward,
} from "../../kernels/embedding.ts";
import { type Case, random, randomIds, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch: B, time: T, channels: C, vocabulary: V } = sizesFor(device);
  const shape = `${B}×${T} of ${V}×${C}`;
  return [{
    name: "embedding forward",
    shape,
    prepare: (device) => {
      const ids = randomIds(device, [B, T], V);
      const tables = { token: random(device, [V, C]), position: random(device, [T, C], 2) };
      return () => void embedding(ids, tables);
    },
  }, {
    name: "embedding backward",
    shape,
    prepare: (device) => {
      const ids = randomIds(device, [B, T], V);
      const dOut = random(device, [B, T, C]);
      const dToken = device.zeros([V, C]);
      const dPosition = device.zeros([T, C]);
      return () => {
        embeddingTokenBackward(ids, dOut, { dToken });
        embeddingPositionBackward(ids, dOut, { dPosition });
      };
    },
  }];
}
