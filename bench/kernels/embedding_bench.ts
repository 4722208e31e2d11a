/**
 * Embeddings: one addition an element, and otherwise memory. The backward pass adds into the tables.
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import {
  embedding,
  embeddingPositionBackward,
  embeddingTokenBackward,
} from "../../src/kernels/embedding.ts";
import type { Case } from "../harness.ts";
import { random, randomIds, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch: B, time: T, channels: C, vocabulary: V } = sizesFor(device);
  const size = B * T * C;
  const shape = `${B}×${T} of ${V}×${C}`;
  return [{
    name: "embedding forward",
    shape,
    flops: size,
    bytes: 4 * (2 * size + T * C + B * T),
    prepare: (device) => {
      const ids = randomIds(device, [B, T], V);
      const tables = { token: random(device, [V, C]), position: random(device, [T, C], 2) };
      return () => void embedding(ids, tables);
    },
  }, {
    name: "embedding backward",
    shape,
    flops: 2 * size,
    // dOut is read for each table; rows of dToken that occur, and all of dPosition, go both ways.
    bytes: 4 * (2 * size + 2 * Math.min(B * T, V) * C + 2 * T * C + B * T),
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
