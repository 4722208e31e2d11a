/** The arithmetic of a step: micro-steps add up to one batch, recomputation changes nothing. @module */

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

const halves = (whole: ReturnType<typeof batch>, parts: number) =>
  Array.from({ length: parts }, (_, part) => {
    const size = whole.inputs.length / parts;
    const [a, b] = [part * size, (part + 1) * size];
    return { inputs: whole.inputs.slice(a, b), targets: whole.targets.slice(a, b) };
  });

/** Weights and figures after some steps. */
async function trained(
  options: Partial<TrainerOptions> & { parts?: number; checkpointing?: boolean; dropout?: number },
): Promise<
  { weights: Float32Array[]; gradients: Float32Array[]; losses: number[]; norms: number[] }
> {
  const { parts = 1, checkpointing = false, dropout = 0, ...rest } = options;
  const model = new Gpt(device, config(dropout));
  model.checkpointing = checkpointing;
  const trainer = new Trainer(languageModelling(model, T), { accumulation: parts, ...rest });
  for (let step = 0; step < 5; step++) trainer.step(halves(batch(step, 2 * B), parts), 1e-3);
  const figures = await trainer.figures();
  return {
    weights: await device.read(...model.parameters) as Float32Array[],
    gradients: await device.read(...model.parameters.map((p) => p.gradient)) as Float32Array[],
    losses: figures.map((f) => f.loss),
    norms: figures.map((f) => f.gradientNorm),
  };
}

/** ‖a - b‖ / ‖b‖. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

Deno.test("two micro-steps of B sequences are one step of 2B", async () => {
  // As many targets count in each half: a mean of means is the mean then.
  const counts = halves(batch(0, 2 * B), 2).map(({ targets }) =>
    targets.filter((t) => t >= 0).length
  );
  assert.equal(counts[0], counts[1]);
  const whole = await trained({});
  const split = await trained({ parts: 2 });
  assert.ok(distance(split.losses, whole.losses) < 1e-5);
  assert.ok(distance(split.norms, whole.norms) < 1e-5);
  whole.gradients.forEach((gradient, i) => {
    const apart = distance(split.gradients[i], gradient);
    assert.ok(apart < 1e-5, `gradient ${i}: ${apart}`);
  });
});

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
