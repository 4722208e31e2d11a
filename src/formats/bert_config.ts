/** The shape of a BERT model and the numbers it is trained with, checked. @module */

import { type ActivationName, activationRule } from "./activations.ts";
import {
  boolean,
  checkRules,
  depth,
  notNegative,
  positive,
  probability,
  type Rules,
  size,
} from "./config_rules.ts";

/** The nonlinearity of the MLP. */
export type BertActivation = ActivationName;

/** All that a BERT encoder needs to be built, in Vitrail's words. */
export interface BertConfig {
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
  /** Width of the hidden layer of each MLP. BERT has four times `channels`. */
  mlpChannels: number;
  /** Number of segment ids: two, for the first and the second sentence of a pair. */
  segments: number;
  /** Added to the variance in each layer norm. */
  layerNormEpsilon: number;
  /** The nonlinearity of each MLP. */
  activation: BertActivation;
  /** Whether the head for tokens decodes by the token embedding. */
  tieWeights: boolean;
  /** Probability of dropping an element of embeddings and of what a sublayer adds, in training. */
  hiddenDropout: number;
  /** Probability of dropping an attention weight, in training. */
  attentionDropout: number;
  /** Probability of dropping an element before a classifier, in training. */
  classifierDropout: number;
  /** Standard deviation of fresh weights. */
  initializerRange: number;
  /** The token that fills up short sequences. */
  padId: number;
}

/** The fields that say how large a model is, and have no default. */
export type BertSize = Pick<
  BertConfig,
  "vocabularySize" | "contextLength" | "channels" | "layers" | "heads"
>;

/**
 * Completes a configuration with BERT's values (Devlin et al. 2019, arXiv:1810.04805, appendix A.2):
 * an MLP four times as wide as the stream, two segments, dropout 0.1, exact GELU.
 *
 * @param size how large the model is
 * @param options the fields that differ from BERT
 * @throws {VitrailError} when the whole is not valid, as {@linkcode validateBertConfig} says
 *
 * @example
 * ```ts
 * import { createBertConfig } from "./bert_config.ts";
 *
 * const config = createBertConfig(
 *   { vocabularySize: 197, contextLength: 29, channels: 36, layers: 2, heads: 3 },
 * );
 * console.log(config.mlpChannels, config.segments); // 144 2
 * ```
 */
export function createBertConfig(
  size: BertSize,
  options: Partial<Omit<BertConfig, keyof BertSize>> = {},
): BertConfig {
  const config: BertConfig = {
    mlpChannels: 4 * size.channels,
    segments: 2,
    layerNormEpsilon: 1e-12,
    activation: "gelu",
    tieWeights: true,
    hiddenDropout: 0.1,
    attentionDropout: 0.1,
    classifierDropout: options.hiddenDropout ?? 0.1,
    initializerRange: 0.02,
    padId: 0,
    ...size,
    ...options,
  };
  validateBertConfig(config);
  return config;
}

const rules: Rules<keyof BertConfig> = {
  vocabularySize: size,
  contextLength: size,
  channels: size,
  layers: depth,
  heads: size,
  mlpChannels: size,
  segments: size,
  layerNormEpsilon: positive,
  activation: activationRule,
  tieWeights: boolean,
  hiddenDropout: probability,
  attentionDropout: probability,
  classifierDropout: probability,
  initializerRange: notNegative,
  padId: notNegative,
};

/**
 * Checks that a model can be built from a configuration.
 *
 * @param config the configuration; fields that are absent are faults too
 * @param options.action what cannot be done when it is not valid, for the error
 * @param options.fieldNames what a field is called where the user wrote it, where that differs
 * @throws {VitrailError} at the first field that is absent, of the wrong kind or out of range; it
 * names the field, its value and the wanted one
 */
export function validateBertConfig(
  config: BertConfig,
  options: { action?: string; fieldNames?: Partial<Record<keyof BertConfig, string>> } = {},
): void {
  const { action = "Cannot use this BERT configuration", fieldNames = {} } = options;
  const { nameOf, refuse } = checkRules(config, rules, { action, fieldNames });
  if (config.channels % config.heads !== 0) {
    refuse("channels", `a multiple of ${nameOf("heads")}, ${config.heads}`);
  }
  if (!Number.isSafeInteger(config.padId) || config.padId >= config.vocabularySize) {
    const size = `${nameOf("vocabularySize")}, ${config.vocabularySize}`;
    refuse("padId", `a token id from 0 to below ${size}`);
  }
}
