/**
 * What is profiled: training steps and generation, of models with random weights on random tokens, whose
 * times are those of any others of their sizes.
 *
 * @module
 */
import type { PretrainingBatch } from "../data/pretraining/pretraining_batches.ts";
import { randomOf } from "../data/random.ts";
import { createBertConfig } from "../formats/bert_config.ts";
import { createGptConfig } from "../formats/gpt_config.ts";
import type { Device } from "../gpu/device.ts";
import type { Profiler } from "../gpu/profiler.ts";
import { generate } from "../generation/generate.ts";
import { Bert } from "../models/bert.ts";
import { Gpt } from "../models/gpt.ts";
import { bertPretraining } from "../training/bert_pretraining.ts";
import { type Batch, languageModelling } from "../training/task.ts";
import { Trainer } from "../training/trainer.ts";
import { record, type TimedRecording, waitFloor } from "./record.ts";
import { measureRoof } from "./roof.ts";
import { type Profile, summarize } from "./summary.ts";

/** Sizes of a model and of what it reads. */
export interface WorkloadSizes {
  /** Blocks. */
  layers: number;
  /** Heads of each block. */
  heads: number;
  /** C. */
  channels: number;
  /** T. */
  sequence: number;
  /** B. */
  batch: number;
  /** V. */
  vocabulary: number;
}

/** A recording with its figures. */
export interface Profiled {
  /** The figures. */
  profile: Profile;
  /** What they were made from, for a trace. */
  recording: TimedRecording;
}

/** Steps before the first that counts: they compile shaders and fill the pool of buffers. */
const WARM_UP = 2;
/** Part of a BERT's tokens that are guessed. */
const MASKED = 0.15;

const describe = (sizes: WorkloadSizes): string => {
  const { layers, heads, channels: C, sequence: T, batch: B, vocabulary: V } = sizes;
  return `${layers} layers, C ${C}, ${heads} heads, T ${T}, B ${B}, V ${V}`;
};

function randomIds(count: number, limit: number): Uint32Array {
  const random = randomOf(1);
  return Uint32Array.from({ length: count }, () => Math.floor(random() * limit));
}

/** A GPT's or BERT's trainer and the batch that it is given again and again. */
export function trainerOf(
  device: Device,
  family: "gpt" | "bert",
  sizes: WorkloadSizes,
): { step: () => void; figures: () => Promise<{ loss: number }[]> } {
  const { layers, heads, channels, sequence, batch, vocabulary } = sizes;
  const size = { vocabularySize: vocabulary, contextLength: sequence, channels, layers, heads };
  const ids = randomIds(batch * sequence, vocabulary);
  const rate = 1e-4;
  // As the commands that train have it, unless they are asked for another.
  const none = { embeddingDropout: 0, attentionDropout: 0, residualDropout: 0 };
  if (family === "gpt") {
    const model = new Gpt(device, createGptConfig(size, none));
    const trainer = new Trainer(languageModelling(model, sequence));
    const targets = Int32Array.from(ids, (_, i) => ids[(i + 1) % ids.length]);
    const batches: Batch[] = [{ inputs: ids, targets }];
    return { step: () => trainer.step(batches, rate), figures: () => trainer.figures() };
  }
  const model = new Bert(device, createBertConfig(size), { heads: { kind: "pretraining" } });
  const trainer = new Trainer(bertPretraining(model));
  const every = Math.round(1 / MASKED);
  const batches: PretrainingBatch[] = [{
    shape: [batch, sequence],
    ids,
    segments: new Uint32Array(ids.length).map((_, i) => i % sequence < sequence / 2 ? 0 : 1),
    tokens: Int32Array.from(ids, (id, i) => i % every === 0 ? id : -100),
    follows: new Int32Array(batch).map((_, i) => i % 2),
  }];
  return { step: () => trainer.step(batches, rate), figures: () => trainer.figures() };
}

/** Profiles training steps; their losses are returned as well, those without the profiler first. */
export async function profileStep(
  device: Device,
  sizes: WorkloadSizes,
  options: { family?: "gpt" | "bert"; steps?: number; replay?: boolean; roof?: boolean } = {},
): Promise<Profiled & { losses: number[] }> {
  const { family = "gpt", steps = 5, replay, roof = true } = options;
  const { step, figures } = trainerOf(device, family, sizes);
  const losses: number[] = [];
  const look = async (): Promise<void> => {
    losses.push(...(await figures()).map(({ loss }) => loss));
  };
  for (let i = 0; i < WARM_UP; i++) step();
  await look();
  const floor = await waitFloor(device);
  const begun = performance.now();
  for (let i = 0; i < steps; i++) step();
  await device.finish();
  const wall = performance.now() - begun - floor;
  // On an idle device: where steps queue up, the host waits in `submit` for the device.
  let host = 0;
  for (let i = 0; i < steps; i++) {
    const before = performance.now();
    step();
    host += performance.now() - before;
    await device.finish();
  }
  await look();
  const recording = await record(device, async (profiler) => {
    for (let i = 0; i < steps; i++) {
      profiler.span(`step ${i + 1}`, step);
      await device.finish();
    }
  }, { replay });
  await look();
  const profile = summarize(recording, {
    title: `a training step of a ${family.toUpperCase()}: ${describe(sizes)}`,
    adapter: device.description,
    unit: "step",
    units: steps,
    roof: roof ? await measureRoof(device) : undefined,
    wall: wall / steps,
    host: host / steps,
  });
  return { profile, recording, losses };
}

/** Profiles a GPT that writes; figures are for one token, with the prompt's pass shared out. */
export async function profileGenerate(
  device: Device,
  sizes: WorkloadSizes,
  options: { tokens?: number; prompt?: number; replay?: boolean; roof?: boolean } = {},
): Promise<Profiled> {
  const { tokens = 64, prompt = 16, replay, roof = true } = options;
  const { layers, heads, channels, sequence, batch, vocabulary } = sizes;
  const size = { vocabularySize: vocabulary, contextLength: sequence, channels, layers, heads };
  const model = new Gpt(device, createGptConfig(size));
  const ids = randomIds(prompt, vocabulary);
  const write = () => generate(model, ids, { maxNewTokens: tokens, samples: batch, seed: 1 });
  await write();
  const begun = performance.now();
  await write();
  const wall = performance.now() - begun;
  const recording = await record(device, async (profiler: Profiler) => {
    await profiler.span(`${tokens} tokens`, write);
  }, { replay });
  const profile = summarize(recording, {
    title: `generation by a GPT, ${prompt} tokens given and ${tokens} written: ${describe(sizes)}`,
    adapter: device.description,
    unit: "token",
    units: tokens,
    roof: roof ? await measureRoof(device) : undefined,
    wall: wall / tokens,
  });
  return { profile, recording };
}
