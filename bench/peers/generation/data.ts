/**
 * What a generation is given.
 *
 * @module
 */
import type { GptConfig } from "../../../src/formats/gpt_config.ts";
import type { GptWeights } from "../gpt_weights.ts";

/** A model and what it continues; a call is one new token, and a run begins with the prompt again. */
export interface GenerationData {
  /** The model. */
  config: GptConfig;
  /** Its weights. */
  weights: GptWeights;
  /** Token ids. */
  prompt: number[];
  /** New tokens of a run, at most. */
  most: number;
}
