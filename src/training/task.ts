/**
 * What is trained, and on what: all that the training loop needs to know of a model.
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import type { Run } from "../autograd/run.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { saveGpt } from "../models/files.ts";
import type { Gpt } from "../models/gpt.ts";

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
  /** Records the loss of a batch, every term times `scale` in the backward pass. */
  loss(run: Run, batch: B, scale: number): LossTerm[];
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

/** Predicting the next token, on sequences of `sequence` tokens. */
export function languageModelling(model: Gpt, sequence: number): Task<Batch> {
  const { device, parameters } = model;
  return {
    device,
    parameters,
    terms: ["loss"],
    loss(run, batch, scale) {
      const shape = [batch.inputs.length / sequence, sequence];
      const targets = device.upload(Int32Array.from(batch.targets), shape);
      const { result } = model.loss(run, model.ids(batch.inputs, shape), { targets, scale });
      return [{ result, scale: 1 }];
    },
    save: (directory) => saveGpt(model, directory),
  };
}
