/** The shape of a GPT model and the numbers it is trained with, checked. @module */

import { type ActivationName, activationRule } from "./activations.ts";
import {
  boolean,
  checkRules,
  depth,
  notNegative,
  oneOf,
  positive,
  probability,
  type Rules,
  size,
  sizeOrNone,
} from "./config_rules.ts";

/** The nonlinearity of the MLP. */
export type GptActivation = ActivationName;

/** How a model knows the place of a token: a learned table, a fixed table of sines, or not. */
export type GptPositions = "learned" | "sinusoidal" | "none";

/** All that a GPT model needs to be built, in Vitrail's words. */
export interface GptConfig {
  /** Number of token ids. */
  vocabularySize: number;
  /** The longest sequence, in tokens. */
  contextLength: number;
  /** Width of the residual stream; a multiple of `heads`. */
  channels: number;
  /** Number of blocks. */
  layers: number;
  /** Attention heads in each block. */
  heads: number;
  /** Width of the hidden layer of each MLP. GPT-2 has four times `channels`; 0 makes attention only. */
  mlpChannels: number;
  /** Added to the variance in each layer norm. */
  layerNormEpsilon: number;
  /** The nonlinearity of each MLP. */
  activation: GptActivation;
  /** Whether attention scores are divided by √HS. */
  scaleAttention: boolean;
  /** Whether the scores of layer i, counted from 0, are divided by i + 1 as well. */
  scaleAttentionByLayer: boolean;
  /** How a token's place is added to the residual stream. */
  positions: GptPositions;
  /** Whether the unembedding is the token embedding. */
  tieWeights: boolean;
  /** Probability of dropping an element after the embeddings, in training. */
  embeddingDropout: number;
  /** Probability of dropping an attention weight, in training. */
  attentionDropout: number;
  /** Probability of dropping an element of what a sublayer adds to the stream, in training. */
  residualDropout: number;
  /** Standard deviation of fresh weights. */
  initializerRange: number;
  /** The token that opens a text, where the tokenizer has one. */
  beginOfTextId?: number;
  /** The token, or the tokens, that end a text; generation stops at any of them. */
  endOfTextId?: number | readonly number[];
}

/** The tokens that end a text, as a list: none if the configuration names none. */
export function endOfTextIds({ endOfTextId }: Pick<GptConfig, "endOfTextId">): number[] {
  if (endOfTextId === undefined) return [];
  return typeof endOfTextId === "number" ? [endOfTextId] : [...endOfTextId];
}

/** The fields that say how large a model is, and have no default. */
export type GptSize = Pick<
  GptConfig,
  "vocabularySize" | "contextLength" | "channels" | "layers" | "heads"
>;

/**
 * Completes a configuration with GPT-2's values: an MLP four times as wide as the stream, dropout
 * 0.1, epsilon 1e-5, tanh GELU, learned positions, tied weights.
 *
 * @param size how large the model is
 * @param options the fields that differ from GPT-2
 * @throws {VitrailError} when the whole is not valid, as {@linkcode validateGptConfig} says
 *
 * @example
 * ```ts
 * import { createGptConfig } from "./gpt_config.ts";
 *
 * const config = createGptConfig(
 *   { vocabularySize: 197, contextLength: 29, channels: 12, layers: 2, heads: 3 },
 *   { residualDropout: 0 },
 * );
 * console.log(config.mlpChannels, config.activation); // 48 "gelu_new"
 * ```
 */
export function createGptConfig(
  size: GptSize,
  options: Partial<Omit<GptConfig, keyof GptSize>> = {},
): GptConfig {
  const config: GptConfig = {
    mlpChannels: 4 * size.channels,
    layerNormEpsilon: 1e-5,
    activation: "gelu_new",
    scaleAttention: true,
    scaleAttentionByLayer: false,
    positions: "learned",
    tieWeights: true,
    embeddingDropout: 0.1,
    attentionDropout: 0.1,
    residualDropout: 0.1,
    initializerRange: 0.02,
    ...size,
    ...options,
  };
  validateGptConfig(config);
  return config;
}

const rules: Rules<Exclude<keyof GptConfig, "beginOfTextId" | "endOfTextId">> = {
  vocabularySize: size,
  contextLength: size,
  channels: size,
  layers: depth,
  heads: size,
  mlpChannels: sizeOrNone,
  layerNormEpsilon: positive,
  activation: activationRule,
  scaleAttention: boolean,
  scaleAttentionByLayer: boolean,
  positions: oneOf("learned", "sinusoidal", "none"),
  tieWeights: boolean,
  embeddingDropout: probability,
  attentionDropout: probability,
  residualDropout: probability,
  initializerRange: notNegative,
};

/**
 * Checks that a model can be built from a configuration.
 *
 * @param config the configuration; fields that are absent are faults too
 * @param options.action what cannot be done when it is not valid, for the error
 * @param options.fieldNames what a field is called where the user wrote it, where that differs
 * @throws {VitrailError} at the first field that is absent, of the wrong kind or out of range; it
 * names the field, its value and the wanted one
 *
 * @example
 * ```ts
 * import { createGptConfig, validateGptConfig } from "./gpt_config.ts";
 *
 * const size = { vocabularySize: 197, contextLength: 29, channels: 12, layers: 2, heads: 3 };
 * const config = createGptConfig(size);
 * config.heads = 5;
 * try {
 *   validateGptConfig(config);
 * } catch (error) {
 *   console.log((error as Error).message); // … channels is 12, wanted a multiple of heads, 5
 * }
 * ```
 */
export function validateGptConfig(
  config: GptConfig,
  options: { action?: string; fieldNames?: Partial<Record<keyof GptConfig, string>> } = {},
): void {
  const { action = "Cannot use this GPT configuration", fieldNames = {} } = options;
  const { nameOf, refuse } = checkRules(config, rules, { action, fieldNames });
  if (config.channels % config.heads !== 0) {
    refuse("channels", `a multiple of ${nameOf("heads")}, ${config.heads}`);
  }
  const { beginOfTextId, endOfTextId, vocabularySize } = config;
  const size = `${nameOf("vocabularySize")}, ${vocabularySize}`;
  const isToken = (id: unknown): boolean =>
    Number.isSafeInteger(id) && (id as number) >= 0 && (id as number) < vocabularySize;
  if (beginOfTextId !== undefined && !isToken(beginOfTextId)) {
    refuse("beginOfTextId", `a token id from 0 to below ${size}`);
  }
  const ends = Array.isArray(endOfTextId) ? endOfTextId : [endOfTextId];
  if (endOfTextId !== undefined && !ends.every(isToken)) {
    refuse("endOfTextId", `a token id from 0 to below ${size}, or a list of such ids`);
  }
}
