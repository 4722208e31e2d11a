/**
 * What decides a run of `vitrail train`.
 *
 * @module
 */
import type { GptConfig } from "../formats/gpt_config.ts";
import type { RunFlags } from "./run_flags.ts";

/** Everything that decides a run; kept in its directory as `training.json`. */
export interface TrainFlags extends RunFlags {
  /** Text file, folder, .jsonl, standard input or corpus. */
  data: string;
  /** Sizes by name. */
  preset: string;
  /** Blocks. */
  layers?: number;
  /** Heads of each block. */
  heads?: number;
  /** C. */
  channels?: number;
  /** T. */
  sequence?: number;
  /** Dropout everywhere. */
  dropout: number;
  /** How a model knows the place of a token. */
  positions: GptConfig["positions"];
  /** Kind of a new tokenizer, or a directory that has one. */
  tokenizer: string;
  /** V of a new tokenizer. */
  vocabulary: number;
  /** Part of the text held out. */
  validationFraction: number;
  /** Batches of an evaluation. */
  evaluateBatches: number;
  /** Tokens of the sample at each evaluation. */
  samples: number;
  /** Recompute blocks in the backward pass. */
  checkpointing: boolean;
  /** Field of a JSONL record with the text. */
  textField: string;
  /** A model to begin with. */
  from?: string;
}
