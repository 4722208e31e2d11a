/** Hugging Face's `config.json` of a GPT-2 model, read and written. @module */

import { VitrailError } from "../errors.ts";
import { type AtomicFile, stageFile } from "./atomic_file.ts";
import { parseActivation, wantedActivations } from "./activations.ts";
import { readGenerationEnd } from "./generation_config.ts";
import { endOfTextIds, type GptConfig, validateGptConfig } from "./gpt_config.ts";
import {
  checkConfigJson,
  type ConfigJson,
  type Family,
  readConfigJson,
  valueOr,
} from "./huggingface_config.ts";
import { boolean, number, oneOf, optional, text } from "./json_rules.ts";
import { quoteValue, showPath } from "./messages.ts";
import type { Packing } from "./quantized_matrix.ts";

/** The object that `config.json` holds. */
export type Gpt2ConfigJson = ConfigJson;

const keys = {
  vocabularySize: "vocab_size",
  contextLength: "n_positions",
  channels: "n_embd",
  layers: "n_layer",
  heads: "n_head",
  mlpChannels: "n_inner",
  layerNormEpsilon: "layer_norm_epsilon",
  activation: "activation_function",
  scaleAttention: "scale_attn_weights",
  scaleAttentionByLayer: "scale_attn_by_inverse_layer_idx",
  positions: "vitrail.positions",
  tieWeights: "tie_word_embeddings",
  embeddingDropout: "embd_pdrop",
  attentionDropout: "attn_pdrop",
  residualDropout: "resid_pdrop",
  initializerRange: "initializer_range",
  beginOfTextId: "bos_token_id",
  endOfTextId: "eos_token_id",
} as const satisfies Record<keyof GptConfig, string>;

/**
 * `reorder_and_upcast_attn` is read past: it asks for 32-bit attention scores, and Vitrail has no others.
 * So are the keys of a second head, for choices, that `GPT2DoubleHeadsModel` has beside the one for tokens.
 */
const family: Family = {
  modelType: "gpt2",
  generalNames: {
    hidden_size: "n_embd",
    max_position_embeddings: "n_positions",
    num_attention_heads: "n_head",
    num_hidden_layers: "n_layer",
  },
  architectures: [
    "GPT2LMHeadModel",
    "GPT2Model",
    "GPT2DoubleHeadsModel",
    "GPT2ForSequenceClassification",
  ],
  readPast: {
    reorder_and_upcast_attn: boolean,
    add_cross_attention: boolean,
    is_causal: boolean,
    summary_type: oneOf("cls_index", "last", "first", "mean"),
    summary_use_proj: boolean,
    summary_activation: optional(text),
    summary_proj_to_labels: boolean,
    summary_first_dropout: number,
  },
  variants: [
    { key: "add_cross_attention", plain: false, effect: "blocks attend to an encoder" },
    { key: "is_causal", plain: true, effect: "tokens see those behind them" },
  ],
};

/**
 * Reads `config.json` of a model directory. If a `generation_config.json` beside it names tokens that end
 * a text, these are the configuration's.
 *
 * @param directory the path of a Hugging Face model directory
 * @throws {VitrailError} when the file is missing or not JSON, or as {@linkcode parseGpt2Config}
 */
export function readConfig(directory: string): GptConfig {
  const { json, path } = readConfigJson(directory);
  const end = readGenerationEnd(directory);
  return parseGpt2Config(end === undefined ? json : { ...json, eos_token_id: end }, {
    source: path,
  });
}

/**
 * Writes `config.json` into a model directory, whole or not at all.
 *
 * @param options.packing the integers that the weights beside it are kept in: the file names them, so
 * that a program which does not know them says so
 * @throws {VitrailError} when the configuration is not valid or the file cannot be written
 *
 * @example
 * ```ts
 * import { createGptConfig } from "./gpt_config.ts";
 * import { readConfig, writeConfig } from "./huggingface_gpt2.ts";
 *
 * const directory = Deno.makeTempDirSync();
 * const size = { vocabularySize: 197, contextLength: 29, channels: 12, layers: 2, heads: 3 };
 * writeConfig(directory, createGptConfig(size));
 * console.log(readConfig(directory).heads); // 3
 * ```
 */
export function writeConfig(
  directory: string,
  config: GptConfig,
  options: { packing?: Packing } = {},
): void {
  using file = stageConfig(directory, config, options);
  file.commit();
}

/**
 * The same without its name yet, for a model whose files take theirs together.
 *
 * @throws {VitrailError} when the configuration is not valid or the file cannot be written
 */
export function stageConfig(
  directory: string,
  config: GptConfig,
  { packing }: { packing?: Packing } = {},
): AtomicFile {
  const json = formatGpt2Config(config);
  if (packing) json.quantization_config = quantizationConfig(packing);
  const text = JSON.stringify(json, null, 2) + "\n";
  return stageFile(`${directory}/config.json`, text);
}

/**
 * Translates the contents of a GPT-2 `config.json`. The sizes must be there; other keys that are
 * absent have the values that `transformers` gives them. Keys that change nothing in the forward
 * pass are ignored.
 *
 * A general name, such as `hidden_size` for `n_embd`, is taken where there is one, as `transformers` does.
 * Begin- and end-of-text ids outside the vocabulary are left out: `transformers` writes 50256 there
 * even for a vocabulary of 100, and no token can ever have it.
 *
 * @param given the parsed file
 * @param options.source what to call it in errors
 * @throws {VitrailError} when it is not a GPT-2, when a value is missing or out of range, or when it
 * asks for a variant whose numbers Vitrail would not reproduce
 *
 * @example
 * ```ts
 * import { parseGpt2Config } from "./huggingface_gpt2.ts";
 *
 * const config = parseGpt2Config({
 *   model_type: "gpt2",
 *   vocab_size: 197,
 *   n_positions: 29,
 *   n_embd: 12,
 *   n_layer: 2,
 *   n_head: 3,
 * });
 * console.log(config.mlpChannels); // 48
 * ```
 */
export function parseGpt2Config(
  given: Gpt2ConfigJson,
  options: { source?: string } = {},
): GptConfig {
  const action = `Cannot use ${showPath(options.source ?? "this config.json")}`;
  const { json, nameOf } = checkConfigJson(withoutOurs(given), family, action);
  const extra = json.vitrail ?? {};
  if (typeof extra !== "object" || Array.isArray(extra)) {
    throw new VitrailError(`${action}: vitrail is ${quoteValue(extra)}, wanted an object`);
  }
  const ours = extra as Record<string, unknown>;
  const value = (key: string, otherwise: unknown) => valueOr(json, key, otherwise);
  const vocabularySize = json.vocab_size as number;
  const named = value("activation_function", "gelu_new");
  const activation = parseActivation(named);
  if (activation === undefined) {
    throw new VitrailError(
      `${action}: activation_function is ${quoteValue(named)}${wantedActivations(named)}`,
    );
  }
  const config = {
    vocabularySize,
    contextLength: json.n_positions,
    channels: json.n_embd,
    layers: json.n_layer,
    heads: json.n_head,
    // A multiple of nonsense is nonsense too, but the check meets n_embd first and names that.
    mlpChannels: ours.attention_only === true ? 0 : json.n_inner ?? 4 * (json.n_embd as number),
    layerNormEpsilon: value("layer_norm_epsilon", 1e-5),
    activation,
    scaleAttention: value("scale_attn_weights", true),
    scaleAttentionByLayer: value("scale_attn_by_inverse_layer_idx", false),
    positions: ours.positions ?? "learned",
    tieWeights: value("tie_word_embeddings", true),
    embeddingDropout: value("embd_pdrop", 0.1),
    attentionDropout: value("attn_pdrop", 0.1),
    residualDropout: value("resid_pdrop", 0.1),
    initializerRange: value("initializer_range", 0.02),
    ...withinVocabulary("beginOfTextId", { id: json.bos_token_id, vocabularySize }),
    ...withinVocabulary("endOfTextId", { id: json.eos_token_id, vocabularySize }),
  } as GptConfig;
  if (json.n_inner === 0 && ours.attention_only !== true) {
    // A width of 0 is ours for no MLP at all; theirs has its last bias left.
    throw new VitrailError(`${action}: n_inner is 0, wanted a whole number from 1`);
  }
  const fieldNames = Object.fromEntries(
    Object.entries(keys).map(([field, key]) => [field, nameOf(key)]),
  );
  validateGptConfig(config, { action, fieldNames });
  return config;
}

/** What quantized models are marked with; the file of the weights says the rest. */
const OURS = "vitrail";

/**
 * Without a `quant_method`, which makes `transformers` refuse the directory: of a method that it does not know
 * it only says so, and computes with weights of its own.
 */
function quantizationConfig({ format, group }: Packing): Record<string, unknown> {
  return { format: OURS, group_size: group, weights: format };
}

/** The file without the integers that are Vitrail's own, which no family's check has to know. */
function withoutOurs(json: Gpt2ConfigJson): Gpt2ConfigJson {
  const { quantization_config: packing, ...rest } = json;
  const { format, quant_method: earlier } = (packing ?? {}) as Record<string, unknown>;
  return [format, earlier].includes(OURS) ? rest : json;
}

function withinVocabulary(
  field: "beginOfTextId" | "endOfTextId",
  options: { id: unknown; vocabularySize: number },
): Partial<GptConfig> {
  const { id, vocabularySize } = options;
  const beyond = (one: unknown): boolean =>
    Number.isSafeInteger(one) && (one as number) >= vocabularySize;
  const inside = Array.isArray(id) ? id.filter((one) => !beyond(one)) : id;
  if (inside === undefined || inside === null || beyond(inside)) return {};
  if (!Array.isArray(inside)) return { [field]: inside };
  if (inside.length === 0) return {};
  return { [field]: inside.length === 1 ? inside[0] : inside };
}

/**
 * Translates a configuration into the contents of a GPT-2 `config.json`, keys sorted as
 * `transformers` sorts them. What Hugging Face has no word for goes under `vitrail`.
 *
 * @throws {VitrailError} when the configuration is not valid
 *
 * @example
 * ```ts
 * import { createGptConfig } from "./gpt_config.ts";
 * import { formatGpt2Config } from "./huggingface_gpt2.ts";
 *
 * const size = { vocabularySize: 197, contextLength: 29, channels: 12, layers: 2, heads: 3 };
 * console.log(formatGpt2Config(createGptConfig(size)).n_embd); // 12
 * ```
 */
export function formatGpt2Config(config: GptConfig): Gpt2ConfigJson {
  validateGptConfig(config);
  const ends = endOfTextIds(config);
  return {
    activation_function: config.activation,
    architectures: ["GPT2LMHeadModel"],
    attn_pdrop: config.attentionDropout,
    bos_token_id: config.beginOfTextId ?? null,
    embd_pdrop: config.embeddingDropout,
    eos_token_id: ends.length > 1 ? ends : ends[0] ?? null,
    initializer_range: config.initializerRange,
    layer_norm_epsilon: config.layerNormEpsilon,
    model_type: "gpt2",
    n_embd: config.channels,
    n_head: config.heads,
    // A GPT-2 always has MLPs: other programs get the narrowest, which adds nothing.
    n_inner: config.mlpChannels === 4 * config.channels ? null : Math.max(config.mlpChannels, 1),
    n_layer: config.layers,
    n_positions: config.contextLength,
    resid_pdrop: config.residualDropout,
    scale_attn_by_inverse_layer_idx: config.scaleAttentionByLayer,
    scale_attn_weights: config.scaleAttention,
    tie_word_embeddings: config.tieWeights,
    vitrail: {
      ...config.mlpChannels === 0 && { attention_only: true },
      positions: config.positions,
    },
    vocab_size: config.vocabularySize,
  };
}
