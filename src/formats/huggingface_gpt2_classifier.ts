/** Hugging Face's `config.json` of a GPT-2 that classifies sequences, read and written. @module */

import { VitrailError } from "../errors.ts";
import { type AtomicFile, stageFile } from "./atomic_file.ts";
import type { GptConfig } from "./gpt_config.ts";
import { formatGpt2Config, parseGpt2Config } from "./huggingface_gpt2.ts";
import { readConfigJson } from "./huggingface_config.ts";
import {
  formatLabels,
  type LabelKind,
  type PairFields,
  parseLabelKind,
  parseLabels,
  parsePairFields,
} from "./huggingface_labels.ts";
import { quoteValue, showPath } from "./messages.ts";

/** What a classifier says, beside the sizes of its model. */
export interface GptClassifierSettings {
  /** Names of its outputs. */
  labels: string[];
  /** What they mean. */
  labelKind: LabelKind;
  /** Of a model that was trained on pairs of texts, the fields that held them. */
  pairFields?: PairFields;
  /**
   * The token behind the last one of short sequences: `transformers` finds the last one by it. Without one
   * it takes sequences one by one.
   */
  padId?: number;
}

/** What the file says. */
export interface GptClassifierDescription extends GptClassifierSettings {
  /** Sizes and rates. */
  config: GptConfig;
}

const ARCHITECTURE = "GPT2ForSequenceClassification";

/**
 * Reads `config.json` of a classifier's directory.
 *
 * @throws {VitrailError} when it is no GPT-2 that classifies, or as `readConfig`
 */
export function readGptClassifierConfig(directory: string): GptClassifierDescription {
  const { json, path } = readConfigJson(directory);
  const action = `Cannot use ${showPath(path)}`;
  const [architecture] = Array.isArray(json.architectures) ? json.architectures : [];
  if (architecture !== ARCHITECTURE) {
    throw new VitrailError(
      `${action}: architectures names ${quoteValue(architecture)}, wanted ${ARCHITECTURE}; ` +
        "fine-tune it with `vitrail finetune classify` first",
    );
  }
  const config = parseGpt2Config(json, { source: path });
  const padId = (json.pad_token_id ?? undefined) as number | undefined;
  if (padId !== undefined && !(padId >= 0 && padId < config.vocabularySize)) {
    throw new VitrailError(
      `${action}: pad_token_id is ${quoteValue(padId)}, wanted the token that fills up short ` +
        `sequences, from 0 to ${config.vocabularySize - 1}`,
    );
  }
  const labels = parseLabels(json);
  const labelKind = parseLabelKind(json, labels, action);
  const pairFields = parsePairFields(json);
  return {
    config,
    labels,
    labelKind,
    ...padId !== undefined && { padId },
    ...pairFields && { pairFields },
  };
}

/** Writes `config.json` into a classifier's directory, whole or not at all. */
export function writeGptClassifierConfig(
  directory: string,
  description: GptClassifierDescription,
): void {
  using file = stageGptClassifierConfig(directory, description);
  file.commit();
}

/** The same without its name yet, for a model whose files take theirs together. */
export function stageGptClassifierConfig(
  directory: string,
  { config, labels, labelKind: kind, padId, pairFields }: GptClassifierDescription,
): AtomicFile {
  const json = {
    ...formatGpt2Config(config),
    architectures: [ARCHITECTURE],
    ...formatLabels(labels, { kind, pairFields }),
    pad_token_id: padId ?? null,
  };
  const sorted = Object.fromEntries(Object.entries(json).toSorted(([a], [b]) => a < b ? -1 : 1));
  return stageFile(`${directory}/config.json`, JSON.stringify(sorted, null, 2) + "\n");
}
