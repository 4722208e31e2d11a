/** Hugging Face's `config.json` of a GPT-2 model, read and written. @module */

import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "./atomic_file.ts";
import { readGenerationEnd } from "./generation_config.ts";
import {
  endOfTextIds,
  type GptActivation,
  type GptConfig,
  validateGptConfig,
} from "./gpt_config.ts";
import { readJsonObject } from "./json_file.ts";
import { quoteValue, showPath } from "./messages.ts";
import type { Packing } from "./quantized_matrix.ts";

/** The object that `config.json` holds. */
export type Gpt2ConfigJson = Record<string, unknown>;

const keys = {
  vocabularySize: "vocab_size",
  contextLength: "n_positions",
  channels: "n_embd",
  layers: "n_layer",
  heads: "n_head",
  mlpChannels: "n_inner",
  layerNormEpsilon: "layer_norm_epsilon",
  activation: "activation_function",
  positions: "vitrail.positions",
  tieWeights: "tie_word_embeddings",
  embeddingDropout: "embd_pdrop",
  attentionDropout: "attn_pdrop",
  residualDropout: "resid_pdrop",
  initializerRange: "initializer_range",
  beginOfTextId: "bos_token_id",
  endOfTextId: "eos_token_id",
} as const satisfies Record<keyof GptConfig, string>;

/** Hugging Face has two names for the tanh approximation; their numbers are the same. */
const activations: Record<string, GptActivation> = {
  gelu_new: "gelu_new",
  gelu_pytorch_tanh: "gelu_new",
  gelu: "gelu",
};

/**
 * Reads `config.json` of a model directory. If a `generation_config.json` beside it names tokens that end
 * a text, these are the configuration's.
 *
 * @param directory the path of a Hugging Face model directory
 * @throws {VitrailError} when the file is missing or not JSON, or as {@linkcode parseGpt2Config}
 */
export function readConfig(directory: string): GptConfig {
  const path = `${directory}/config.json`;
  const json = readJsonObject(path, {
    wanted: "a Hugging Face model directory with config.json, model.safetensors, tokenizer.json",
  });
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
  const { packing } = options;
  const json = formatGpt2Config(config);
  if (packing) json.quantization_config = quantizationConfig(packing);
  const text = JSON.stringify(json, null, 2) + "\n";
  writeFileAtomic(`${directory}/config.json`, text);
}

/**
 * Translates the contents of a GPT-2 `config.json`. The sizes must be there; other keys that are
 * absent have the values that `transformers` gives them. Keys that change nothing in the forward
 * pass are ignored.
 *
 * Begin- and end-of-text ids outside the vocabulary are left out: `transformers` writes 50256 there
 * even for a vocabulary of 100, and no token can ever have it.
 *
 * @param json the parsed file
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
  json: Gpt2ConfigJson,
  options: { source?: string } = {},
): GptConfig {
  const action = `Cannot use ${showPath(options.source ?? "this config.json")}`;
  refuseVariants(json, action);
  const extra = json.vitrail ?? {};
  if (typeof extra !== "object" || Array.isArray(extra)) {
    throw new VitrailError(`${action}: vitrail is ${quoteValue(extra)}, wanted an object`);
  }
  const vocabularySize = json.vocab_size as number;
  const config = {
    vocabularySize,
    contextLength: json.n_positions,
    channels: json.n_embd,
    layers: json.n_layer,
    heads: json.n_head,
    // A multiple of nonsense is nonsense too, but the check meets n_embd first and names that.
    mlpChannels: (extra as Record<string, unknown>).attention_only === true
      ? 0
      : json.n_inner ?? 4 * (json.n_embd as number),
    layerNormEpsilon: json.layer_norm_epsilon ?? 1e-5,
    activation: parseActivation(json.activation_function ?? "gelu_new", action),
    positions: (extra as Record<string, unknown>).positions ?? "learned",
    tieWeights: json.tie_word_embeddings ?? true,
    embeddingDropout: json.embd_pdrop ?? 0.1,
    attentionDropout: json.attn_pdrop ?? 0.1,
    residualDropout: json.resid_pdrop ?? 0.1,
    initializerRange: json.initializer_range ?? 0.02,
    ...withinVocabulary("beginOfTextId", { id: json.bos_token_id, vocabularySize }),
    ...withinVocabulary("endOfTextId", { id: json.eos_token_id, vocabularySize }),
  } as GptConfig;
  validateGptConfig(config, { action, fieldNames: keys });
  return config;
}

/** Keys that change the forward pass, the values that do not, and what the key does otherwise. */
const variants: { key: string; plain: unknown; effect: string }[] = [
  { key: "scale_attn_weights", plain: true, effect: "attention scores are not scaled" },
  {
    key: "scale_attn_by_inverse_layer_idx",
    plain: false,
    effect: "attention scores are divided by the layer's number",
  },
  { key: "add_cross_attention", plain: false, effect: "blocks attend to an encoder" },
];

/**
 * Refuses what would give other numbers than `transformers`. `reorder_and_upcast_attn` passes: it
 * asks for 32-bit attention scores, and Vitrail has no others.
 */
function refuseVariants(json: Gpt2ConfigJson, action: string): void {
  if (json.model_type !== "gpt2") {
    throw new VitrailError(
      `${action}: model_type is ${quoteValue(json.model_type)}, wanted "gpt2"`,
    );
  }
  for (const { key, plain, effect } of variants) {
    const value = json[key] ?? plain;
    if (value === plain) continue;
    // The first layer is divided by one, so a model of one layer is the same either way.
    if (key === "scale_attn_by_inverse_layer_idx" && value === true && json.n_layer === 1) continue;
    throw new VitrailError(
      `${action}: ${key} is ${
        quoteValue(value)
      } (${effect}), which is not supported, wanted ${plain}`,
    );
  }
  for (const key of ["quantization_config", "pruned_heads"]) {
    const value = json[key];
    const empty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
    if (value === undefined || value === null || empty || isOurs(key, value)) continue;
    throw new VitrailError(
      `${action}: it has ${key}, which is not supported; export the model without it`,
    );
  }
}

/** The method that quantized models of Vitrail name; the file of the weights says the rest. */
const METHOD = "vitrail";

function quantizationConfig({ format, group }: Packing): Record<string, unknown> {
  return { group_size: group, quant_method: METHOD, weights: format };
}

function isOurs(key: string, value: unknown): boolean {
  return key === "quantization_config" &&
    (value as Record<string, unknown>).quant_method === METHOD;
}

function parseActivation(value: unknown, action: string): GptActivation {
  if (typeof value === "string" && Object.hasOwn(activations, value)) return activations[value];
  const supported = Object.keys(activations).map((name) => `"${name}"`).join(", ");
  throw new VitrailError(
    `${action}: activation_function is ${quoteValue(value)}, wanted one of ${supported}`,
  );
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
    tie_word_embeddings: config.tieWeights,
    vitrail: {
      ...config.mlpChannels === 0 && { attention_only: true },
      positions: config.positions,
    },
    vocab_size: config.vocabularySize,
  };
}
