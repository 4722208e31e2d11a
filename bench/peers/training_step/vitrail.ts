/**
 * Our `Trainer`, as the command that trains has it, without clipping.
 *
 * @module
 */
import { languageModelling } from "../../../src/training/task.ts";
import { Trainer } from "../../../src/training/trainer.ts";
import { ourGpt, release } from "../gpt_weights.ts";
import { NAME, ourDevice } from "../libraries/vitrail.ts";
import type { Peer } from "../task.ts";
import type { TrainingData } from "./task.ts";

/** Losses stay on the device until the last step of a round. */
export const vitrail: Peer<TrainingData> = {
  name: NAME,
  open: async ({ config, weights, time, batches, optimizer }) => {
    const { rate, beta1, beta2, epsilon, decay } = optimizer;
    const model = ourGpt(await ourDevice(), config, weights);
    const trainer = new Trainer(languageModelling(model, time), {
      betas: [beta1, beta2],
      epsilon,
      weightDecay: decay,
      clip: 0,
    });
    let steps = 0;
    return {
      run: async (calls) => {
        for (let i = 0; i < calls; i++) trainer.step([batches[steps++ % batches.length]], rate);
        return (await trainer.figures()).map(({ loss }) => loss);
      },
      dispose: () => release(model),
    };
  },
};
