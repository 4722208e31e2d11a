/**
 * Choosing the next token: by drawing, greedily and with every filter on, which walks the row again and
 * again, or for beams; its probability, and what has been written so far.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { chooseBeams, followBeams } from "../../kernels/beam.ts";
import { appendHistory, banIds, markHistory } from "../../kernels/history.ts";
import { logProbability } from "../../kernels/log_probability.ts";
import { sample } from "../../kernels/sample.ts";
import { type Case, random, randomIds, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch: B, time: T, vocabulary: V } = sizesFor(device);
  const off = { topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };
  const settings = {
    greedy: { ...off, temperature: 0 },
    filtered: { ...off, temperature: 0.8, topK: 40, topP: 0.9, minP: 0.01 },
  };
  const drawn: Case[] = Object.entries(settings).map(([name, how]) => ({
    name: `sample ${name}`,
    shape: `${B}×${V}`,
    prepare: (device) => {
      const tensors = {
        logits: random(device, [B, V]),
        seen: device.zeros([B, V], "u32"),
        ids: device.zeros([B, 1], "u32"),
        tokens: device.zeros([B, 1], "u32"),
      };
      return () => sample(tensors, { ...how, position: 0 });
    },
  }));
  return [...drawn, {
    name: "log_probability",
    shape: `${B}×${V}`,
    prepare: (device) => {
      const [logits, ids] = [random(device, [B, V]), randomIds(device, [B], V)];
      const out = device.zeros([B, 1]);
      return () => logProbability({ logits, ids, out }, 0);
    },
  }, {
    name: "history",
    shape: `${B}×${T} of ${V}`,
    prepare: (device) => {
      const lengths = { history: randomIds(device, [B, T], V), pads: device.zeros([B], "u32") };
      const [seen, ids] = [device.zeros([B, V], "u32"), randomIds(device, [B], V)];
      return () => {
        markHistory(lengths, seen, { length: T - 1, ngram: 3 });
        banIds(seen, ids);
        appendHistory(lengths, ids, T - 1);
      };
    },
  }, {
    name: "beams",
    shape: `${B} of one prompt, ${V}`,
    prepare: (device) => {
      const [logits, seen] = [random(device, [B, V]), device.zeros([B, V], "u32")];
      const [ids, parents, stops] = [B, B, 1].map((n) => device.zeros([n], "u32"));
      const results = device.zeros([1, 1, 2 * B, 4], "u32");
      const beams = { scores: device.zeros([B]), ids, parents, stops, results };
      const [before, after] = [0, 1].map(() => device.zeros([B, T], "u32"));
      return () => {
        chooseBeams(beams, { logits, seen, penalty: 1, column: 0, stopCount: 1 });
        followBeams({ before, after }, beams, { length: T - 1, pads: undefined, ownRow: false });
      };
    },
  }];
}
