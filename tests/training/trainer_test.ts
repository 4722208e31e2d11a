/** The arithmetic of a step: recomputation changes nothing, and faults come in order. @module */

import assert from "node:assert/strict";
import {
  createGptConfig,
  Gpt,
  languageModelling,
  openDevice,
  Trainer,
  type TrainerOptions,
} from "../../mod.ts";
import { mulberry32 } from "./train_process.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, T, B] = [197, 29, 3];
const config = (dropout = 0) =>
  createGptConfig({ vocabularySize: V, contextLength: T, channels: 24, layers: 2, heads: 2 }, {
    embeddingDropout: dropout,
    attentionDropout: dropout,
    residualDropout: dropout,
  });

/** Sequences of random ids, and targets of which some do not count. */
function batch(seed: number, sequences: number) {
  const random = mulberry32(seed + 1);
  const ids = Array.from({ length: sequences * T }, () => Math.floor(V * random()));
  return {
    inputs: Uint32Array.from(ids),
    targets: Int32Array.from(ids, (id, i) => (i % T) % 7 === 3 ? -100 : (id * 31 + 5) % V),
  };
}

/** Weights and figures after some steps. */
async function trained(
  options: Partial<TrainerOptions> & { checkpointing?: boolean; dropout?: number },
): Promise<
  { weights: Float32Array[]; losses: number[]; norms: number[] }
> {
  const { checkpointing = false, dropout = 0, ...rest } = options;
  const model = new Gpt(device, config(dropout));
  model.checkpointing = checkpointing;
  const trainer = new Trainer(languageModelling(model, T), rest);
  for (let step = 0; step < 5; step++) trainer.step([batch(step, 2 * B)], 1e-3);
  const figures = await trainer.figures();
  return {
    weights: await device.read(...model.parameters) as Float32Array[],
    losses: figures.map((f) => f.loss),
    norms: figures.map((f) => f.gradientNorm),
  };
}

Deno.test("recomputing blocks in the backward pass changes no bit, with dropout too", async () => {
  const plain = await trained({ dropout: 0.2, seed: 29 });
  const again = await trained({ dropout: 0.2, seed: 29, checkpointing: true });
  assert.deepEqual(again.losses, plain.losses);
  assert.deepEqual(again.norms, plain.norms);
  assert.deepEqual(again.weights, plain.weights);
  // The masks are those of the seed: another one gives another run.
  const other = await trained({ dropout: 0.2, seed: 30, checkpointing: true });
  assert.notDeepEqual(other.losses, plain.losses);
});

Deno.test("figures of good steps come before the fault of one that is not finite", async () => {
  const model = new Gpt(device, config());
  const trainer = new Trainer(languageModelling(model, T), { weightDecay: 0 });
  const step = (rate: number) => trainer.step([batch(0, B)], rate);
  step(1e-3);
  step(1e-3);
  const spoilt = model.parameters.findIndex((p) => p.name === "transformer.h.1.mlp.c_fc.bias");
  const bias = model.parameters[spoilt];
  device.write(bias, new Float32Array(bias.size).fill(NaN));
  const [before] = await device.read(model.parameters[0]);
  step(1e-3);
  step(1e-3);
  assert.deepEqual((await trainer.figures()).map((f) => f.step), [1, 2]);
  const fault =
    /VitrailError: Training stopped at step 3: the gradient of transformer\.\S+ is not /;
  await assert.rejects(trainer.figures(), fault);
  await assert.rejects(trainer.figures(), fault);
  assert.deepEqual((await device.read(model.parameters[0]))[0], before);
});
