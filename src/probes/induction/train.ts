/**
 * A model in which induction heads form while one looks on: two layers of attention and nothing else, on
 * random sequences that repeat (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits",
 * on two-layer attention-only models; Olsson et al. 2022, arXiv:2209.11895, on when such heads form).
 *
 * @module
 */
import { Run } from "../../autograd/run.ts";
import { type RepeatedBatch, repeatedBatch } from "../../data/repeated_sequences.ts";
import { VitrailError } from "../../errors.ts";
import {
  count,
  countOrNone,
  listOf,
  mapOf,
  number,
  object,
  text,
  type ValueOf,
} from "../../formats/json_rules.ts";
import { showPath } from "../../formats/messages.ts";
import { checkOptions, notNegative } from "../../formats/option_rules.ts";
import { createGptConfig } from "../../formats/gpt_config.ts";
import type { Device } from "../../gpu/device.ts";
import { Gpt } from "../../models/gpt.ts";
import { loadTraining, readTrainingState, saveTraining } from "../../models/training_state.ts";
import { freshWeights } from "../../models/weights.ts";
import { AdamW } from "../../optim/adamw.ts";
import type { Activation } from "../activation_cache.ts";
import type { HeadId } from "../attention/maps.ts";
import { headScores } from "../attention/head_scores.ts";
import { tokenLosses } from "../metrics.ts";
import { runWithHooks } from "../run_with_hooks.ts";
import { inductionSequences, inputOf, meanLosses, nextTokens } from "./sequences.ts";

/** Sizes of the model and of what it learns from; sensible ones are there for all. */
export interface InductionOptions {
  /** V, two of them no letters: 0 begins a sequence and 1 is never drawn, as tokenizers of characters have it. */
  vocabularySize?: number;
  /** T. */
  sequence?: number;
  /** C. */
  channels?: number;
  /** NH of both layers. */
  heads?: number;
  /** B. */
  batch?: number;
  /** Updates. */
  steps?: number;
  /** Learning rate behind the warm-up of 50 steps, from where it falls to a tenth. */
  learningRate?: number;
  /** Seed of weights and sequences. */
  seed?: number;
  /** Steps between two looks at the heads. */
  lookEvery?: number;
  /** A file in which the training is kept at every look, and when it is stopped. */
  checkpoint?: string;
  /** Goes on from the checkpoint, if there is one; it ends with the bytes of a training without a break. */
  resume?: boolean;
  /** Stops early. */
  signal?: AbortSignal;
  /** Told how many updates were done before, by the training that this one continues. */
  onStart?: (step: number) => void;
  /** Told at each look: the loss of repeated tokens, and the highest induction score. */
  onLook?: (step: number, figures: { loss: number; induction: number }) => void;
}

/** How the model learnt. */
export interface InductionHistory {
  /** Updates done at each look. */
  steps: number[];
  /** Mean loss of unseen sequences where tokens are new, in nats. */
  fresh: number[];
  /** The same where they repeat. */
  repeated: number[];
  /** Of each head, layer by layer, at each look. */
  heads: (HeadId & { previousToken: number[]; induction: number[] })[];
}

/** A model that learnt to repeat, and how. */
export interface InductionModel {
  /** The model. */
  model: Gpt;
  /** What was seen on the way. */
  history: InductionHistory;
  /** Updates done: fewer than asked for if it was stopped. */
  step: number;
}

const scores = object({
  layer: countOrNone,
  head: countOrNone,
  previousToken: listOf(number),
  induction: listOf(number),
});

/** What a checkpoint says beside its tensors. */
const stateRule = object({
  /** Updates done. */
  step: countOrNone,
  /** What was asked: another training does not go on from here. */
  asked: object({ steps: count, heads: count, seed: countOrNone }),
  /** What was seen on the way. */
  history: object({
    steps: listOf(count),
    fresh: listOf(number),
    repeated: listOf(number),
    heads: listOf(scores),
  }),
  /** Variants of kernels in use, and the adapter that they are for: others round otherwise. */
  variants: object({ adapter: text, chosen: mapOf(text) }),
});

/** What a checkpoint of an induction model says beside its tensors. */
export type InductionState = ValueOf<typeof stateRule>;

/**
 * The state in the checkpoint of an induction model; nothing if there is no such file.
 *
 * @throws {VitrailError} if the file is damaged or of another kind
 */
export function readInductionState(path: string): InductionState | undefined {
  return readTrainingState(path, stateRule);
}

/** Ids from which letters are drawn. */
const FIRST_LETTER = 2;
const [WARM_UP, LAST_RATE] = [50, 0.1];
/** Part of the steps that ask only for what can be known. */
const KNOWN_ONLY = 0.6;
/** Milliseconds between two waits for the device. */
const WAIT_EVERY = 500;

/**
 * Trains the model. Periods are drawn for each sequence, so that no place tells what comes next. At first the
 * loss is taken only where a token has come before: with what nobody can know in it, other ways of copying
 * are found as often as induction. Then it is taken everywhere, and the model learns where it knows nothing.
 *
 * @throws {VitrailError} if the sequence is too short to repeat anything, or the checkpoint is of another
 * training
 */
export async function trainInductionModel(
  device: Device,
  options: InductionOptions = {},
): Promise<InductionModel> {
  const { vocabularySize = 128, sequence = 64, channels = 64, heads = 4, batch = 24 } = options;
  const { steps = 2000, learningRate = 4e-3, seed = 0, lookEvery = 64, onLook } = options;
  const [shortest, longest] = [Math.floor(sequence / 8), Math.floor((sequence - 1) / 2)];
  if (shortest < 2) {
    throw new VitrailError(
      `Cannot repeat anything in ${sequence} tokens: wanted a sequence of 16 at least`,
    );
  }
  checkOptions("Cannot train", { batch, sequence, steps, learningRate, lookEvery }, {
    batch: count,
    sequence: count,
    steps: count,
    learningRate: notNegative,
    lookEvery: count,
  });
  const size = { vocabularySize, contextLength: sequence, channels, layers: 2, heads };
  const config = createGptConfig(size, {
    mlpChannels: 0,
    // What a token stands for as a question and what it stands for as an answer are learnt apart.
    tieWeights: false,
    embeddingDropout: 0,
    attentionDropout: 0,
    residualDropout: 0,
  });
  using owned = new DisposableStack();
  const model = owned.use(new Gpt(device, config, freshWeights(seed)));
  using optimizer = new AdamW(model.parameters, { weightDecay: 0, betas: [0.9, 0.99], clip: 1 });
  const period = [shortest, longest] as const;
  const sequences = { batch, sequence, period, vocabularySize, firstId: FIRST_LETTER, seed };
  const unseen = inductionSequences(model, { firstId: FIRST_LETTER, seed, batch: 8, index: 2 });
  let history: InductionHistory = { steps: [], fresh: [], repeated: [], heads: [] };
  const { checkpoint, signal } = options;
  const parts = { device, parameters: model.parameters, optimizer };
  const asked = { steps, heads, seed };
  const state = checkpoint && options.resume ? readInductionState(checkpoint) : undefined;
  let step = 0;
  if (state) {
    if (JSON.stringify(state.asked) !== JSON.stringify(asked)) {
      throw new VitrailError(
        `Cannot go on from ${showPath(checkpoint!)} with ${words(asked)}: it was begun with ` +
          `${words(state.asked)}, on which every step depends`,
      );
    }
    loadTraining(checkpoint!, parts);
    ({ step, history } = state);
    if (state.variants.adapter === device.description) device.variants.use(state.variants.chosen);
  }
  const save = async (): Promise<void> => {
    if (!checkpoint) return;
    const variants = { adapter: device.description, chosen: device.variants.chosen };
    await saveTraining(checkpoint, parts, { step, asked, history, variants });
  };
  const train = (step: number): void => {
    using _scope = device.scope();
    const drawn = repeatedBatch({ ...sequences, index: step });
    const targets = step < KNOWN_ONLY * steps ? drawn.targets : nextTokens(drawn);
    optimizer.clearGradients();
    const run = new Run(device, { record: true, training: true });
    const { result } = model.loss(run, model.ids(drawn.inputs, drawn.shape), {
      targets: device.upload(targets, drawn.shape),
    });
    run.tape!.backward(result);
    const warm = Math.min(1, (step + 1) / WARM_UP);
    optimizer.step(learningRate * warm * (1 - (1 - LAST_RATE) * step / steps));
  };
  options.onStart?.(step);
  let waited = performance.now();
  while (step < steps && !signal?.aborted) {
    train(step++);
    if (step % lookEvery === 0 || step === steps) {
      history.steps.push(step);
      const seen = await look(model, history, unseen);
      onLook?.(step, seen);
      await save();
    } else if (signal && performance.now() - waited > WAIT_EVERY) {
      // Signals arrive only while nothing else is done.
      await device.finish();
      waited = performance.now();
    }
  }
  if (signal?.aborted && step < steps) await save();
  owned.move(); // to the caller
  return { model, history, step };
}

const words = (asked: InductionState["asked"]): string =>
  Object.entries(asked).map(([name, value]) => `--${name} ${value}`).join(" ");

/** Adds the losses and the scores of every head to the history. */
async function look(
  model: Gpt,
  history: InductionHistory,
  batch: RepeatedBatch,
): Promise<{ loss: number; induction: number }> {
  using scope = model.device.detachedScope();
  const input = scope.run(() => inputOf(model, batch));
  const [logits] = await model.device.compute(() => [runWithHooks(model, input, { hooks: [] })]);
  const losses = tokenLosses(logits as Activation, nextTokens(batch)).flat();
  const { fresh, repeated } = meanLosses(losses, batch);
  history.fresh.push(fresh);
  history.repeated.push(repeated);
  const scores = await headScores(model, input);
  scores.forEach(({ layer, head, previousToken, induction }, i) => {
    const entry = history.heads[i] ??= { layer, head, previousToken: [], induction: [] };
    entry.previousToken.push(previousToken);
    entry.induction.push(induction);
  });
  return { loss: repeated, induction: Math.max(...scores.map(({ induction }) => induction)) };
}
