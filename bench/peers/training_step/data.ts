/**
 * What the steps of training are given.
 *
 * @module
 */
import type { GptConfig } from "../../../src/formats/gpt_config.ts";
import type { Batch } from "../../../src/training/task.ts";
import type { GptWeights } from "../gpt_weights.ts";

/** A model, its batches and its optimizer; the i-th step of a library takes the i-th batch, round and round. */
export interface TrainingData {
  /** The model, without dropout and with tied weights. */
  config: GptConfig;
  /** What it begins with. */
  weights: GptWeights;
  /** T. */
  time: number;
  /** B·T ids and what follows each. */
  batches: Batch[];
  /** AdamW's; what has two dimensions decays. */
  optimizer: {
    rate: number;
    beta1: number;
    beta2: number;
    epsilon: number;
    decay: number;
  };
}
