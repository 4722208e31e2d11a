/**
 * A whole training step of a GPT: forward, backward, clipping and AdamW. Divide its tokens by its
 * time for tokens a second.
 *
 * @module
 */
import { Run } from "../src/autograd/run.ts";
import { createGptConfig } from "../src/formats/gpt_config.ts";
import type { Device } from "../src/gpu/device.ts";
import { Gpt } from "../src/models/gpt.ts";
import { AdamW } from "../src/optim/adamw.ts";
import { type Case, randomIds } from "../src/profiling/cases/operands.ts";

/** One small model on a processor; GPT-2 (124 M) on a GPU. */
export function cases(device: Device): Case[] {
  const [layers, heads, C, T, B, V] = device.isCpu
    ? [4, 4, 128, 128, 12, 1024]
    : [12, 12, 768, 1024, 8, 50257];
  return [{
    name: "training step",
    shape: `${layers} layers, ${B}×${T}×${C}`,
    prepare: (device) => {
      const size = { vocabularySize: V, contextLength: T, channels: C, layers, heads };
      const model = new Gpt(device, createGptConfig(size));
      const optimizer = new AdamW(model.parameters, {});
      const ids = randomIds(device, [B, T], V);
      const targets = randomIds(device, [B, T], V, Int32Array);
      return () => {
        optimizer.clearGradients();
        const run = new Run(device, { record: true, training: true });
        run.tape!.backward(model.loss(run, ids, { targets }).result);
        optimizer.step(1e-4);
      };
    },
  }];
}
