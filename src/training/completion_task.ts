/**
 * Fine-tuning a language model on completions alone.
 *
 * @module
 */
import type { CompletionBatch } from "../data/completions/completion_batches.ts";
import { saveGpt } from "../models/files.ts";
import type { Gpt } from "../models/gpt.ts";
import { uploadTargets } from "../models/ids.ts";
import { countTargets, type Task } from "./task.ts";

/** Writing completions: the next token, where it is not only read. */
export function completing(model: Gpt): Task<CompletionBatch> {
  const { device, parameters, config: { vocabularySize: classes } } = model;
  return {
    device,
    parameters,
    terms: ["loss"],
    targetCounts: ({ targets }) => [countTargets(targets)],
    loss(run, { shape, inputs, targets }, [scale]) {
      const { result } = model.loss(run, model.ids(inputs, shape), {
        targets: uploadTargets(device, targets, { classes, shape }),
        scale,
      });
      return [{ result, scale: 1 }];
    },
    save: (directory) => saveGpt(model, directory),
  };
}
