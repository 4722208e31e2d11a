/**
 * The two models whose training step is measured, with batches that their number decides.
 *
 * @module
 */
import type { PretrainingBatch } from "../../src/data/pretraining/pretraining_batches.ts";
import { createBertConfig } from "../../src/formats/bert_config.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import type { Device } from "../../src/gpu/device.ts";
import { Bert } from "../../src/models/bert.ts";
import { Gpt } from "../../src/models/gpt.ts";
import { bertPretraining } from "../../src/training/bert_pretraining.ts";
import { type Batch, languageModelling, type Task } from "../../src/training/task.ts";
import { Trainer } from "../../src/training/trainer.ts";

/** Sizes of a model and of its batch. */
export interface StepSize {
  /** Blocks. */
  layers: number;
  /** C. */
  channels: number;
  /** NH. */
  heads: number;
  /** T. */
  time: number;
  /** B. */
  batch: number;
  /** V. */
  vocabulary: number;
}

/** A training step that can be repeated. */
export interface RepeatedStep {
  /** Sizes in words. */
  name: string;
  /** Records and submits step n. */
  step: (n: number) => void;
  /** Reads what the steps left, which must be done every 32 steps at the latest. */
  losses: () => Promise<number[]>;
}

function words(kind: string, s: StepSize): string {
  return `${kind}: ${s.layers} layers, C ${s.channels}, ${s.heads} heads, ` +
    `T ${s.time}, B ${s.batch}, V ${s.vocabulary}`;
}

function repeated<B>(name: string, task: Task<B>, batchAt: (n: number) => B): RepeatedStep {
  const trainer = new Trainer(task, { clip: 1 });
  return {
    name,
    step: (n) => trainer.step([batchAt(n)], 1e-3),
    losses: async () => (await trainer.figures()).map(({ loss }) => loss),
  };
}

/** A fresh GPT and its step. */
export function gptStep(device: Device, size: StepSize): RepeatedStep {
  const { layers, channels, heads, time, batch, vocabulary } = size;
  const sizes = { vocabularySize: vocabulary, contextLength: time, channels, layers, heads };
  const rates = { embeddingDropout: 0, attentionDropout: 0, residualDropout: 0 };
  const model = new Gpt(device, createGptConfig(sizes, rates));
  const count = batch * time;
  const id = (n: number, i: number): number => (i * i * 31 + n * 17 + 7 * i) % vocabulary;
  const batchAt = (n: number): Batch => ({
    inputs: Uint32Array.from({ length: count }, (_, i) => id(n, i)),
    targets: Int32Array.from({ length: count }, (_, i) => id(n, i + 1)),
  });
  return repeated(words("GPT", size), languageModelling(model, time), batchAt);
}

/** A fresh BERT and its step: 15 % of the tokens are asked for, and next sentences. */
export function bertStep(device: Device, size: StepSize): RepeatedStep {
  const { layers, channels, heads, time, batch, vocabulary } = size;
  const sizes = { vocabularySize: vocabulary, contextLength: time, channels, layers, heads };
  const rates = { hiddenDropout: 0, attentionDropout: 0 };
  const model = new Bert(device, createBertConfig(sizes, rates));
  const count = batch * time;
  const id = (n: number, i: number): number => 5 + (i * i * 31 + n * 17 + 7 * i) % (vocabulary - 5);
  const batchAt = (n: number): PretrainingBatch => {
    const ids = Uint32Array.from({ length: count }, (_, i) => id(n, i));
    return {
      shape: [batch, time],
      ids: ids.map((own, i) => i % 20 < 3 ? 4 : own),
      segments: Uint32Array.from({ length: count }, (_, i) => i % time < time / 2 ? 0 : 1),
      tokens: Int32Array.from({ length: count }, (_, i) => i % 20 < 3 ? ids[i] : -100),
      follows: Int32Array.from({ length: batch }, (_, b) => (b + n) % 2),
    };
  };
  return repeated(words("BERT", size), bertPretraining(model), batchAt);
}
