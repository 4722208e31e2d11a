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
import type { Case } from "./harness.ts";
import { randomIds } from "./kernels/operands.ts";

/** One small model on a processor; GPT-2 (124 M) on a GPU. */
export function cases(device: Device): Case[] {
  const [layers, heads, C, T, B, V] = device.isCpu
    ? [4, 4, 128, 128, 12, 1024]
    : [12, 12, 768, 1024, 8, 50257];
  const tokens = B * T;
  const inProducts = layers * 12 * C * C + V * C;
  const parameters = inProducts + T * C + layers * 13 * C + 2 * C;
  // A parameter in a product takes 2 operations forward and 4 backward for each token (Kaplan et al.
  // 2020, section 2.1); causal attention 2·C·T a layer and token forward, and twice that backward.
  return [{
    name: "training step",
    shape: `${layers} layers, ${B}×${T}×${C}`,
    flops: tokens * (6 * inProducts + 6 * layers * C * T),
    // Weights are read twice, gradients cleared, read, written and read for their norm, and AdamW
    // moves seven numbers; activations are left out.
    bytes: 4 * parameters * (2 + 4 + 7),
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
