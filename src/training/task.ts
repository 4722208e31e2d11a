/**
 * What is trained, and on what: all that the training loop needs to know of a model.
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import type { Run } from "../autograd/run.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { IGNORE_INDEX } from "../kernels/cross_entropy.ts";
import { saveGpt } from "../models/files.ts";
import type { Gpt } from "../models/gpt.ts";
import { uploadTargets } from "../models/ids.ts";

/** One term of a loss. */
export interface LossTerm {
  /** (mean, number of targets that it is the mean of). */
  result: Tensor;
  /** Its factor in the loss. */
  scale: number;
}

/** A model with an objective over batches of one kind. */
export interface Task<B> {
  /** Where the model lives. */
  readonly device: Device;
  /** What is trained, frozen parameters included. */
  readonly parameters: Parameter[];
  /** Names of the loss's terms; a single one needs none. */
  readonly terms: readonly string[];
  /**
   * What each term's mean over a batch is divided by: its number of targets, or the sum of their weights.
   * A step of several micro-batches divides by the sum over all of them.
   */
  targetCounts(batch: B): number[];
  /** Records the loss of a batch, each term times its number in `scales` in the backward pass. */
  loss(run: Run, batch: B, scales: readonly number[]): LossTerm[];
  /** Writes the model's directory. */
  save(directory: string): Promise<void>;
}

/** Token ids and what follows each of them. */
export interface Batch {
  /** (B·T) ids. */
  inputs: Uint32Array;
  /** (B·T) ids, -100 where nothing is asked. */
  targets: Int32Array;
}

/** Number of targets that count: class numbers other than -100, or numbers other than NaN. */
export function countTargets(targets: Int32Array | Float32Array): number {
  const numbers = targets instanceof Float32Array;
  let count = 0;
  for (const target of targets) {
    if (numbers ? !Number.isNaN(target) : target !== IGNORE_INDEX) count++;
  }
  return count;
}

/** Predicting the next token, on sequences of `sequence` tokens. */
export function languageModelling(model: Gpt, sequence: number): Task<Batch> {
  const { device, parameters, config: { vocabularySize: classes } } = model;
  return {
    device,
    parameters,
    terms: ["loss"],
    targetCounts: ({ targets }) => [countTargets(targets)],
    loss(run, batch, [scale]) {
      const shape = [batch.inputs.length / sequence, sequence];
      const targets = uploadTargets(device, batch.targets, { classes, shape });
      const { result } = model.loss(run, model.ids(batch.inputs, shape), { targets, scale });
      return [{ result, scale: 1 }];
    },
    save: (directory) => saveGpt(model, directory),
  };
}
