/**
 * Our `generate`.
 *
 * @module
 */
import { generate } from "../../../src/generation/generate.ts";
import { ourGpt, release } from "../gpt_weights.ts";
import { NAME, ourDevice } from "../libraries/vitrail.ts";
import type { Peer } from "../task.ts";
import type { GenerationData } from "./task.ts";

/** Greedy, with the chunks that it chooses itself. */
export const vitrail: Peer<GenerationData> = {
  name: NAME,
  open: async ({ config, weights, prompt }) => {
    const model = ourGpt(await ourDevice(), config, weights);
    return {
      run: async (calls) => {
        const [tokens] = await generate(model, prompt, { maxNewTokens: calls, temperature: 0 });
        return tokens;
      },
      dispose: () => release(model),
    };
  },
};
