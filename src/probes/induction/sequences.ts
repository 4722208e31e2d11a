/**
 * The sequences on which a model is asked for induction: random tokens, and then the same again.
 *
 * @module
 */
import { type RepeatedBatch, repeatedBatch } from "../../data/repeated_sequences.ts";
import { VitrailError } from "../../errors.ts";
import { checkOptions, count, countOrNone, seedRule } from "../../formats/option_rules.ts";
import type { Gpt } from "../../models/gpt.ts";
import { mean } from "../metrics.ts";
import type { ProbeInput } from "../probed_model.ts";

/** Batches that a model learns from have numbers below this: what it is asked about is not among them. */
const APART = 1 << 20;

/** What is drawn; sensible values are there for all. */
export interface SequenceOptions {
  /** Sequences; 16 if absent. */
  batch?: number;
  /** T, at most the model's context, which it is if absent and no more than 64. */
  sequence?: number;
  /** The least id that is drawn; 1 if absent. */
  firstId?: number;
  /** The token that begins each sequence; 0 if absent. */
  begin?: number;
  /** Seed of the sequences. */
  seed?: number;
  /** Which batch of that seed. */
  index?: number;
}

/**
 * Sequences of random tokens, none twice, and then the same again: whatever follows can be known.
 *
 * @throws {VitrailError} if they are too short to repeat, or longer than the model's context
 */
export function inductionSequences(
  { config: { vocabularySize, contextLength } }: Gpt,
  options: SequenceOptions = {},
): RepeatedBatch {
  const { batch = 16, sequence = Math.min(contextLength, 64), firstId = 1 } = options;
  const { seed = 0, index: own = 0 } = options;
  checkOptions("Cannot look for induction", { batch, sequence, firstId, seed, index: own }, {
    batch: count,
    sequence: count,
    firstId: countOrNone,
    seed: seedRule,
    index: countOrNone,
  });
  const period = Math.min(Math.floor((sequence - 1) / 2), vocabularySize - firstId);
  if (period < 2 || sequence > contextLength) {
    throw new VitrailError(
      `Cannot look for induction in ${sequence} tokens: wanted 5 at least, and no more than the ` +
        `model's context of ${contextLength}`,
    );
  }
  const index = APART + own;
  const drawn = { batch, sequence, period, vocabularySize, firstId, index };
  return repeatedBatch({ ...options, ...drawn, distinct: true });
}

/** A batch as a model reads it. */
export function inputOf(model: Gpt, { inputs, shape }: RepeatedBatch): ProbeInput {
  return { ids: model.ids(inputs, shape) };
}

/** What follows each token, (B·T) ids; -100 at the end, where nothing does. */
export function nextTokens({ inputs, shape: [, T] }: RepeatedBatch): Int32Array<ArrayBuffer> {
  return Int32Array.from(inputs, (_, i) => i % T < T - 1 ? inputs[i + 1] : -100);
}

/** Mean losses, in nats. */
export interface SequenceLosses {
  /** Where what follows is new: nothing tells, and the best is ln of the number of tokens. */
  fresh: number;
  /** Where it repeats. */
  repeated: number;
  /** At each place but the last. */
  byPlace: number[];
}

/** Means of the losses of `nextTokens`, sequence by sequence, over sequences of one period. */
export function meanLosses(
  losses: readonly number[],
  { shape: [B, T], periods: [period] }: RepeatedBatch,
): SequenceLosses {
  const byPlace = Array.from({ length: T - 1 }, (_, t) => {
    return mean(Array.from({ length: B }, (_, b) => losses[b * (T - 1) + t]));
  });
  // At place P, counted from 0, the last new token is seen; what follows it is yet to be shown.
  const known = period + 1;
  return {
    fresh: mean(byPlace.slice(0, known)),
    repeated: mean(byPlace.slice(known)),
    byPlace,
  };
}
