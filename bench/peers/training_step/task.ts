/**
 * Steps of training a small GPT: forward, backward and AdamW.
 *
 * @module
 */
import { createGptConfig, type GptConfig } from "../../../src/formats/gpt_config.ts";
import type { Batch } from "../../../src/training/task.ts";
import { seededNumbers } from "../../harness.ts";
import { type GptWeights, initialWeights } from "../gpt_weights.ts";
import { ourDevice } from "../libraries/vitrail.ts";
import type { Task } from "../task.ts";
import { jaxJs } from "./jax_js.ts";
import { tfjs } from "./tfjs.ts";
import { vitrail } from "./vitrail.ts";

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

/** No dropout, so that all libraries compute the same. */
export const NO_DROPOUT = { embeddingDropout: 0, attentionDropout: 0, residualDropout: 0 };

/** Results are the losses of the steps. They agree as long as rounding errors have not grown. */
export const trainingStep: Task<TrainingData> = {
  name: "training_step",
  call: "one step",
  aim: 4,
  tolerance: 1e-3,
  rounds: 5,
  peers: [vitrail, jaxJs, tfjs],
  problems: async () => {
    const [layers, channels, heads, time, batch, vocabulary] = [4, 128, 4, 64, 12, 256];
    const size = { vocabularySize: vocabulary, contextLength: time, channels, layers, heads };
    const config = createGptConfig(size, NO_DROPOUT);
    const batches = Array.from({ length: 8 }, (_, i): Batch => {
      const numbers = seededNumbers(batch * time + 1, i + 1);
      // Some ids come far more often than others, so that there is something to learn.
      const ids = numbers.map((x) => Math.floor(vocabulary * (x + 0.5) ** 3));
      return {
        inputs: Uint32Array.from(ids.subarray(0, -1)),
        targets: Int32Array.from(ids.subarray(1)),
      };
    });
    return [{
      label:
        `${layers} layers, C ${channels}, ${heads} heads, T ${time}, B ${batch}, V ${vocabulary}`,
      data: {
        config,
        weights: initialWeights(await ourDevice(), config),
        time,
        batches,
        optimizer: { rate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1 },
      },
      calls: 2,
      warmUp: 2,
    }];
  },
};
