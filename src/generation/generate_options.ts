/**
 * How prompts are continued, and the checks of what a caller asks for.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { endOfTextIds, type GptConfig } from "../formats/gpt_config.ts";
import type { CacheFormat } from "../kernels/attention_decode.ts";
import type { SampleSettings } from "../kernels/sample.ts";

/** How beams are searched, in the words of `transformers`. */
export interface BeamOptions {
  /** Sequences that are kept side by side; 1, which is no beam search, if absent. */
  beams?: number;
  /** Exponent of the length that a finished sequence's score is divided by; 1 if absent. */
  lengthPenalty?: number;
  /**
   * When a search ends: `true` as soon as there are as many finished sequences as beams; `false`, which is
   * the default, when a better one is unlikely; `"never"` when none can be better.
   */
  earlyStopping?: boolean | "never";
}

/** How to continue prompts. */
export interface GenerateOptions extends Partial<SampleSettings>, BeamOptions {
  /** Tokens to add, at most; 100, or as many as the context has room for, if absent. */
  maxNewTokens?: number;
  /** Tokens before which no sequence ends; none if absent. */
  minNewTokens?: number;
  /** No run of so many tokens occurs twice, the prompt included; 0, which is the default, allows it. */
  noRepeatNgram?: number;
  /** Sequences to write from each prompt; of beams, the best so many. */
  samples?: number;
  /**
   * A sequence ends before any of these ids: before those that end a text in the model's configuration, if
   * absent.
   */
  stopIds?: readonly number[];
  /**
   * Called with the new tokens of each sequence as they arrive, and with its number: sequence `s` of prompt
   * `p` is number `p·samples + s`. Returns true to end that sequence, or how many of these tokens it ends
   * behind. A beam search calls it when it is over.
   */
  onTokens?: (sequence: number, ids: number[]) => boolean | number | void;
  /** Tokens between two reads. */
  chunk?: number;
  /** What keys and values are kept in: f32, or f16 for half the memory; as the weights are if absent. */
  cache?: CacheFormat;
}

/** What was asked for, checked. */
export interface GenerateSettings extends SampleSettings {
  /** The prompts. */
  prompts: readonly ArrayLike<number>[];
  /** Tokens to add to each of them, at most. */
  limits: readonly number[];
  minNewTokens: number;
  noRepeatNgram: number;
  samples: number;
  stopIds: readonly number[];
  chunk: number;
  beams: number;
  lengthPenalty: number;
  earlyStopping: boolean | "never";
}

/** Tokens to add if a caller does not say. */
const USUAL_TOKENS = 100;
/** Below this the largest logit is all that is left, and its quotient is too large for f32. */
const LEAST_TEMPERATURE = 1e-30;
const LARGEST_SEED = 2 ** 32 - 1;

/**
 * Checks prompts and options.
 *
 * @throws {VitrailError} at the first that is not possible; the message names it and what is
 */
export function checkOptions(
  config: GptConfig,
  prompts: readonly ArrayLike<number>[],
  options: GenerateOptions,
): GenerateSettings {
  const { minNewTokens = 0, noRepeatNgram = 0, samples = 1, chunk = 16 } = options;
  const { stopIds = endOfTextIds(config), beams = 1, lengthPenalty = 1 } = options;
  const { earlyStopping = false } = options;
  const whole = (name: string, value: number, least: number): void => {
    if (Number.isSafeInteger(value) && value >= least) return;
    throw refusal(name, value, `a whole number from ${least}`);
  };
  whole("tokens to add", options.maxNewTokens ?? 0, 0);
  whole("tokens to add at least", minNewTokens, 0);
  whole("tokens that must not repeat", noRepeatNgram, 0);
  whole("samples", samples, 1);
  whole("tokens between two reads", chunk, 1);
  whole("beams", beams, 1);
  stopIds.forEach((id) => whole("a stop id", id, 0));
  if (!Number.isFinite(lengthPenalty)) {
    throw refusal("a length penalty", lengthPenalty, "a finite number");
  }
  if (typeof earlyStopping !== "boolean" && earlyStopping !== "never") {
    throw refusal("early stopping", earlyStopping, 'true, false or "never"');
  }
  const limits = checkPrompts(config, prompts, options.maxNewTokens);
  const most = Math.min(...limits);
  if (minNewTokens > most) {
    throw new VitrailError(
      `Cannot write ${minNewTokens} tokens at least: ${most} are written at most; ask for fewer, or ` +
        "shorten the prompt",
    );
  }
  const settings = {
    ...checkSampling(config, options),
    ...{ prompts, limits, minNewTokens, noRepeatNgram, samples, stopIds, chunk },
    ...{ beams, lengthPenalty, earlyStopping },
  };
  if (beams > 1) checkBeams(config, settings, options);
  return settings;
}

/** How many tokens are added to each prompt, at most. */
function checkPrompts(
  { contextLength }: GptConfig,
  prompts: readonly ArrayLike<number>[],
  maxNewTokens: number | undefined,
): number[] {
  if (prompts.length === 0) {
    throw new VitrailError("Cannot continue no prompts: give at least one");
  }
  return Array.from(prompts, ({ length }, p) => {
    const which = prompts.length === 1 ? "" : ` ${p + 1}`;
    if (length === 0) {
      throw new VitrailError(
        which === ""
          ? "Cannot continue an empty prompt: give at least one token"
          : `Cannot continue prompt${which}: it is empty; give at least one token`,
      );
    }
    const room = contextLength - length;
    const limit = maxNewTokens ?? Math.min(USUAL_TOKENS, Math.max(1, room));
    if (limit <= room) return limit;
    throw new VitrailError(
      `Cannot write ${limit} tokens after ${
        which === "" ? "a prompt" : `prompt${which},`
      } of ${length}: the model's context is ${contextLength}; ask for ${
        Math.max(0, room)
      } at most, ` +
        "or shorten the prompt",
    );
  });
}

function checkSampling(config: GptConfig, options: GenerateOptions): SampleSettings {
  const { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, seed = 0 } =
    options;
  const want = (name: string, value: number, holds: boolean, wanted: string): void => {
    if (typeof value !== "number" || !holds) {
      throw new VitrailError(`Cannot sample with ${name} ${value}: wanted ${wanted}`);
    }
  };
  const isWhole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  want("temperature", temperature, temperature >= 0, "0 (greedy) or more");
  want("temperature", temperature, temperature < Infinity, "a finite number");
  want("top-k", topK, isWhole(topK), "a whole number, 0 for all");
  want("top-p", topP, topP > 0 && topP <= 1, "more than 0 and at most 1");
  want("min-p", minP, minP >= 0 && minP <= 1, "0 to 1");
  want("repetition penalty", repetitionPenalty, repetitionPenalty > 0, "more than 0");
  const inRange = repetitionPenalty >= 1e-6 && repetitionPenalty <= 1e6;
  want("repetition penalty", repetitionPenalty, inRange, "0.000001 to 1000000");
  want("seed", seed, isWhole(seed) && seed <= LARGEST_SEED, `a whole number to ${LARGEST_SEED}`);
  return {
    temperature: temperature < LEAST_TEMPERATURE ? 0 : temperature,
    topK: topK >= config.vocabularySize ? 0 : topK,
    topP,
    minP,
    repetitionPenalty,
    seed,
  };
}

/** Beams take what is likeliest, and draw nothing. */
function checkBeams(
  { vocabularySize }: GptConfig,
  { beams, samples, stopIds }: GenerateSettings,
  { temperature = 0, topK = 0, topP = 1, minP = 0 }: GenerateOptions,
): void {
  if (temperature > 0 || topK > 0 || topP < 1 || minP > 0) {
    throw new VitrailError(
      `Cannot search ${beams} beams and draw at random: leave out temperature, top-k, top-p and min-p`,
    );
  }
  if (samples > beams) {
    throw new VitrailError(
      `Cannot give the best ${samples} of ${beams} beams: wanted as many beams at least`,
    );
  }
  const kept = candidatesOf({ beams, stopIds });
  if (kept > vocabularySize) {
    throw new VitrailError(
      `Cannot search ${beams} beams in a vocabulary of ${vocabularySize}: ${kept} tokens are kept of ` +
        `each; ask for fewer beams`,
    );
  }
}

/** How many continuations are kept of a step: enough for all beams to go on, whichever of them end. */
export function candidatesOf(
  { beams, stopIds }: Pick<GenerateSettings, "beams" | "stopIds">,
): number {
  return Math.max(2, 1 + stopIds.length) * beams;
}

function refusal(name: string, value: unknown, wanted: string): VitrailError {
  return new VitrailError(`Cannot generate with ${name} ${value}: wanted ${wanted}`);
}
