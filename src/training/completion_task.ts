/**
 * Fine-tuning a language model: on completions alone, and with an adapter in place of its weights.
 *
 * @module
 */
import type { CompletionBatch } from "../data/completions/completion_batches.ts";
import { type LoraAdapter, saveAdapter } from "../models/adapters.ts";
import { saveGpt } from "../models/files.ts";
import type { Gpt } from "../models/gpt.ts";
import type { Task } from "./task.ts";

/** Writing completions: the next token, where it is not only read. */
export function completing(model: Gpt): Task<CompletionBatch> {
  const { device, parameters } = model;
  return {
    device,
    parameters,
    terms: ["loss"],
    loss(run, { shape, inputs, targets }, scale) {
      const { result } = model.loss(run, model.ids(inputs, shape), {
        targets: device.upload(Int32Array.from(targets), shape),
        scale,
      });
      return [{ result, scale: 1 }];
    },
    save: (directory) => saveGpt(model, directory),
  };
}

/**
 * The same task, of which only the adapter is trained, saved and kept in checkpoints.
 *
 * @param options.base the model that the adapter is for, and `taskType`, PEFT's word for its use
 */
export function adapted<B>(
  task: Task<B>,
  adapter: LoraAdapter,
  options: { base?: string; taskType?: string } = {},
): Task<B> {
  return {
    ...task,
    parameters: adapter.parameters,
    save: (directory) => saveAdapter(adapter, directory, options),
  };
}
