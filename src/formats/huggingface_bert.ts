/** Hugging Face's `config.json` of a BERT model with its head, read and written. @module */

import { VitrailError } from "../errors.ts";
import { type AtomicFile, stageFile } from "./atomic_file.ts";
import { parseActivation, wantedActivations } from "./activations.ts";
import { type BertConfig, validateBertConfig } from "./bert_config.ts";
import {
  checkConfigJson,
  type ConfigJson,
  type Family,
  readConfigJson,
  valueOr,
} from "./huggingface_config.ts";
import {
  formatLabels,
  type LabelKind,
  type PairFields,
  parseLabelKind,
  parseLabels,
  parsePairFields,
} from "./huggingface_labels.ts";
import { boolean, either, listOf, number, optional } from "./json_rules.ts";
import { quoteValue, showPath } from "./messages.ts";

export type { LabelKind };

/**
 * Which heads a model has, as Hugging Face's architectures combine them. A model without a head has a
 * pooler, unless that is said to be false.
 */
export type BertHeadsSettings =
  | { kind: "none"; pooler?: boolean }
  | { kind: "pretraining" }
  | { kind: "masked-language" }
  | { kind: "next-sentence" }
  | {
    kind: "sequence-classification";
    labels: string[];
    labelKind: LabelKind;
    pairFields?: PairFields;
  }
  | { kind: "token-classification"; labels: string[] }
  | { kind: "question-answering" };

/** What a BERT's `config.json` says. */
export interface BertDescription {
  /** Sizes and rates. */
  config: BertConfig;
  /** The heads. */
  heads: BertHeadsSettings;
}

const architectures: Record<BertHeadsSettings["kind"], string> = {
  "none": "BertModel",
  "pretraining": "BertForPreTraining",
  "masked-language": "BertForMaskedLM",
  "next-sentence": "BertForNextSentencePrediction",
  "sequence-classification": "BertForSequenceClassification",
  "token-classification": "BertForTokenClassification",
  "question-answering": "BertForQuestionAnswering",
};

const keys = {
  vocabularySize: "vocab_size",
  contextLength: "max_position_embeddings",
  channels: "hidden_size",
  layers: "num_hidden_layers",
  heads: "num_attention_heads",
  mlpChannels: "intermediate_size",
  segments: "type_vocab_size",
  layerNormEpsilon: "layer_norm_eps",
  activation: "hidden_act",
  tieWeights: "tie_word_embeddings",
  hiddenDropout: "hidden_dropout_prob",
  attentionDropout: "attention_probs_dropout_prob",
  classifierDropout: "classifier_dropout",
  initializerRange: "initializer_range",
  padId: "pad_token_id",
} as const satisfies Record<keyof BertConfig, string>;

/** Another name of a head: one for tokens that sees to both sides, since `is_decoder` must be false. */
const OTHER_NAMES: Record<string, BertHeadsSettings["kind"]> = {
  "BertLMHeadModel": "masked-language",
};

const family: Family = {
  modelType: "bert",
  generalNames: {},
  architectures: [...Object.values(architectures), ...Object.keys(OTHER_NAMES)],
  readPast: {
    is_decoder: boolean,
    add_cross_attention: boolean,
    eos_token_id: optional(either(number, listOf(number))),
  },
  variants: [
    { key: "position_embedding_type", plain: "absolute", effect: "positions are relative" },
    { key: "is_decoder", plain: false, effect: "it is a decoder" },
    { key: "add_cross_attention", plain: false, effect: "blocks attend to an encoder" },
  ],
};

/**
 * Reads `config.json` of a model directory.
 *
 * @param directory the path of a Hugging Face model directory
 * @throws {VitrailError} when the file is missing or not JSON, or as {@linkcode parseBertConfig}
 */
export function readBertConfig(directory: string): BertDescription {
  const { json, path } = readConfigJson(directory);
  return parseBertConfig(json, { source: path });
}

/**
 * Writes `config.json` into a model directory, whole or not at all.
 *
 * @throws {VitrailError} when the configuration is not valid or the file cannot be written
 */
export function writeBertConfig(directory: string, description: BertDescription): void {
  using file = stageBertConfig(directory, description);
  file.commit();
}

/**
 * The same without its name yet, for a model whose files take theirs together.
 *
 * @throws {VitrailError} when the configuration is not valid or the file cannot be written
 */
export function stageBertConfig(directory: string, description: BertDescription): AtomicFile {
  const text = JSON.stringify(formatBertConfig(description), null, 2) + "\n";
  return stageFile(`${directory}/config.json`, text);
}

/**
 * Translates the contents of a BERT `config.json`. The sizes must be there; other keys that are
 * absent have the values that `transformers` gives them.
 *
 * @param json the parsed file
 * @param options.source what to call it in errors
 * @throws {VitrailError} when it is not a BERT, when a value is missing or out of range, or when it
 * asks for a variant whose numbers Vitrail would not reproduce
 *
 * @example
 * ```ts
 * import { parseBertConfig } from "./huggingface_bert.ts";
 *
 * const { config, heads } = parseBertConfig({
 *   model_type: "bert",
 *   architectures: ["BertForMaskedLM"],
 *   vocab_size: 197,
 *   max_position_embeddings: 29,
 *   hidden_size: 36,
 *   num_hidden_layers: 2,
 *   num_attention_heads: 3,
 *   intermediate_size: 100,
 * });
 * console.log(config.mlpChannels, heads.kind); // 100 "masked-language"
 * ```
 */
export function parseBertConfig(
  given: ConfigJson,
  options: { source?: string } = {},
): BertDescription {
  const action = `Cannot use ${showPath(options.source ?? "this config.json")}`;
  const { json } = checkConfigJson(given, family, action);
  const value = (key: string, otherwise: unknown) => valueOr(json, key, otherwise);
  const hiddenDropout = value("hidden_dropout_prob", 0.1);
  const named = value("hidden_act", "gelu");
  const activation = parseActivation(named);
  if (activation === undefined) {
    throw new VitrailError(
      `${action}: hidden_act is ${quoteValue(named)}${wantedActivations(named)}`,
    );
  }
  const config = {
    vocabularySize: json.vocab_size,
    contextLength: json.max_position_embeddings,
    channels: json.hidden_size,
    layers: json.num_hidden_layers,
    heads: json.num_attention_heads,
    mlpChannels: json.intermediate_size,
    segments: value("type_vocab_size", 2),
    layerNormEpsilon: value("layer_norm_eps", 1e-12),
    activation,
    tieWeights: value("tie_word_embeddings", true),
    hiddenDropout,
    attentionDropout: value("attention_probs_dropout_prob", 0.1),
    classifierDropout: json.classifier_dropout ?? hiddenDropout,
    initializerRange: value("initializer_range", 0.02),
    padId: json.pad_token_id ?? 0,
  } as BertConfig;
  validateBertConfig(config, { action, fieldNames: keys });
  return { config, heads: parseHeads(json, action) };
}

function parseHeads(json: ConfigJson, action: string): BertHeadsSettings {
  const [name = architectures.none] = (json.architectures ?? []) as string[];
  const known = Object.entries(architectures).find(([, architecture]) => architecture === name);
  const kind = OTHER_NAMES[name] ?? known![0] as BertHeadsSettings["kind"];
  if (kind === "token-classification") return { kind, labels: parseLabels(json) };
  if (kind === "question-answering" && parseLabels(json).length !== 2) {
    const key = json.num_labels === undefined ? "id2label" : "num_labels";
    throw new VitrailError(
      `${action}: ${key} makes ${parseLabels(json).length} labels, wanted 2 of ${name}: ` +
        "where an answer begins and where it ends",
    );
  }
  if (kind !== "sequence-classification") return { kind };
  const labels = parseLabels(json);
  const labelKind = parseLabelKind(json, labels, action);
  const pairFields = parsePairFields(json);
  return { kind, labels, labelKind, ...pairFields && { pairFields } };
}

/** The object that `config.json` holds for a model. */
export function formatBertConfig({ config, heads }: BertDescription): Record<string, unknown> {
  validateBertConfig(config);
  const json: Record<string, unknown> = {
    architectures: [architectures[heads.kind]],
    model_type: "bert",
  };
  for (const [field, key] of Object.entries(keys)) json[key] = config[field as keyof BertConfig];
  if ("labels" in heads) {
    Object.assign(
      json,
      formatLabels(
        heads.labels,
        heads.kind === "sequence-classification"
          ? { kind: heads.labelKind, pairFields: heads.pairFields }
          : {},
      ),
    );
  }
  return Object.fromEntries(Object.entries(json).toSorted(([a], [b]) => a < b ? -1 : 1));
}
