/**
 * Generation by a GPT: greedy, one sequence, with a cache of keys and values.
 *
 * @module
 */
import { createGptConfig, type GptConfig } from "../../../src/formats/gpt_config.ts";
import { seededNumbers } from "../../harness.ts";
import { type GptWeights, initialWeights } from "../gpt_weights.ts";
import { ourDevice } from "../libraries/vitrail.ts";
import type { Task } from "../task.ts";
import { onnxruntimeWeb } from "./onnxruntime_web.ts";
import { vitrail } from "./vitrail.ts";

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

/** Results are the new tokens. jax-js and tfjs have neither a cache nor a loop that generates. */
export const generation: Task<GenerationData> = {
  name: "generation",
  call: "one new token, with its share of the prompt",
  aim: 5,
  tolerance: 0,
  rounds: 3,
  peers: [vitrail, onnxruntimeWeb],
  problems: async () => {
    const [layers, channels, heads, vocabulary, most] = [6, 384, 6, 256, 256];
    const config = createGptConfig(
      { vocabularySize: vocabulary, contextLength: 512, channels, layers, heads },
      // Weights larger than usual: the likeliest token then leads by far more than rounding errors.
      { initializerRange: 0.1 },
    );
    const prompt = Array.from(seededNumbers(8, 1), (x) => Math.floor(vocabulary * (x + 0.5)));
    const weights = initialWeights(await ourDevice(), config);
    return [{
      label: `${layers} layers, C ${channels}, after ${prompt.length} tokens, batch 1`,
      data: { config, weights, prompt, most },
      calls: most,
      warmUp: 2,
    }];
  },
};
