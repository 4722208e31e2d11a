/**
 * Models with adapters: opened from two directories, the model's and the adapter's.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { type BertHeadsSettings, readBertConfig } from "../formats/huggingface_bert.ts";
import {
  type GptClassifierSettings,
  readGptClassifierConfig,
} from "../formats/huggingface_gpt2_classifier.ts";
import { endOfTextIds } from "../formats/gpt_config.ts";
import { readConfig } from "../formats/huggingface_gpt2.ts";
import { readJsonObject } from "../formats/json_file.ts";
import { showPath } from "../formats/messages.ts";
import { ADAPTER_WEIGHTS, PEFT_PREFIX, readPeftConfig } from "../formats/peft.ts";
import { openModelWeights, openSafetensors } from "../formats/safetensors.ts";
import type { Device } from "../gpu/device.ts";
import { loadAdapter, type LoraAdapter } from "./adapters.ts";
import type { Bert } from "./bert.ts";
import { loadBert, loadGpt } from "./files.ts";
import type { Gpt } from "./gpt.ts";
import { loadGptClassifier } from "./gpt_classifier.ts";
import { handOver } from "./hand_over.ts";
import {
  bertSequenceClassifier,
  gptSequenceClassifier,
  loadSequenceClassifier,
  modelFamily,
  type SequenceClassifier,
} from "./sequence_classifier.ts";

/** A model, and the adapter that was added to it, if there is one. */
export interface Adapted<Model> {
  /** The model, adapted. */
  model: Model;
  /** What was added. */
  adapter?: LoraAdapter;
}

/** What a model is for. */
export type ModelTask = "generate" | "fill-mask" | "classify" | "tag" | "answer";

/** Tasks of BERT's heads. */
const TASKS: Record<BertHeadsSettings["kind"], ModelTask | undefined> = {
  "none": undefined,
  "pretraining": "fill-mask",
  "masked-language": "fill-mask",
  "next-sentence": undefined,
  "sequence-classification": "classify",
  "token-classification": "tag",
  "question-answering": "answer",
};

/** PEFT's words for tasks whose heads are trained whole, and the head's layer in each family. */
const HEADS = {
  classify: { taskType: "SEQ_CLS", bert: "classifier", gpt2: "score" },
  tag: { taskType: "TOKEN_CLS", bert: "classifier" },
  answer: { taskType: "QUESTION_ANS", bert: "qa_outputs" },
} as const;

/**
 * What a model directory is for, or the model beside an adapter.
 *
 * @throws {VitrailError} if its config.json is missing or is of neither family, or it has no head
 */
export function modelTask(directory: string, adapter?: string): ModelTask {
  if (modelFamily(directory) === "gpt2") {
    if (adapter !== undefined) return hasHead(adapter, "score") ? "classify" : "generate";
    const { architectures } = readJsonObject(`${directory}/config.json`);
    const [name] = Array.isArray(architectures) ? architectures : [];
    return name === "GPT2ForSequenceClassification" ? "classify" : "generate";
  }
  const heads = adapter === undefined
    ? readBertConfig(directory).heads
    : describedBert(directory, adapter).heads;
  const task = TASKS[heads.kind];
  if (task) return task;
  throw new VitrailError(
    `Cannot use ${
      showPath(directory)
    }: this BERT has no head for a task; wanted one that was pre-trained ` +
      "with its head for tokens, or fine-tuned for a task",
  );
}

/**
 * Which layers are trained whole beside an adapter (PEFT's `modules_to_save`): the task's head, and the
 * pooler where the directory has none, as masked language modelling does without.
 *
 * @param directory the model that is adapted
 * @returns them, and PEFT's word for the task
 */
export function trainedWhole(
  task: "classify" | "tag" | "answer",
  directory?: string,
): { trainedWhole: string[]; taskType: string } {
  const { taskType, ...heads } = HEADS[task];
  if (directory === undefined || task !== "classify") {
    return { trainedWhole: [heads.bert], taskType };
  }
  if (modelFamily(directory) === "gpt2") return { trainedWhole: [HEADS.classify.gpt2], taskType };
  using file = openModelWeights(directory);
  const pooled = ["bert.", ""].some((prefix) => file.has(`${prefix}pooler.dense.weight`));
  return { trainedWhole: pooled ? [heads.bert] : [heads.bert, "pooler"], taskType };
}

/**
 * Opens a GPT-2 directory, and adds an adapter to it if one is given.
 *
 * @throws {VitrailError} if a file is missing or damaged, or the adapter belongs to another model
 */
export function loadAdaptedGpt(
  device: Device,
  directory: string,
  adapter?: string,
  packing: Parameters<typeof loadGpt>[2] = {},
): Adapted<Gpt> {
  return adapted(loadGpt(device, directory, packing), adapter);
}

/**
 * Opens a BERT directory, and adds an adapter to it if one is given: its head is the adapter's then.
 *
 * @throws {VitrailError} if a file is missing or damaged, or the adapter belongs to another model
 */
export function loadAdaptedBert(
  device: Device,
  directory: string,
  adapter?: string,
): Adapted<Bert> {
  const options = adapter === undefined ? {} : describedBert(directory, adapter);
  return adapted(loadBert(device, directory, options), adapter);
}

/**
 * Opens a classifier of either family, and adds an adapter to it if one is given: its labels are the
 * adapter's then, and its directory may be of a model that is no classifier itself.
 *
 * @throws {VitrailError} if a file is missing or damaged, or the adapter belongs to another model
 */
export function loadAdaptedClassifier(
  device: Device,
  directory: string,
  adapter?: string,
): Adapted<SequenceClassifier> {
  if (adapter === undefined) return { model: loadSequenceClassifier(device, directory) };
  if (modelFamily(directory) === "bert") {
    const { model, ...rest } = loadAdaptedBert(device, directory, adapter);
    return { ...rest, model: handOver(model, bertSequenceClassifier) };
  }
  const settings = describedGptClassifier(directory, adapter);
  return adapted(
    gptSequenceClassifier(loadGptClassifier(device, directory, { settings })),
    adapter,
  );
}

function adapted<Model extends Parameters<typeof loadAdapter>[0] & Disposable>(
  model: Model,
  adapter: string | undefined,
): Adapted<Model> {
  if (adapter === undefined) return { model };
  return handOver(model, () => ({ model, adapter: loadAdapter(model, adapter) }));
}

/** The head of an adapted BERT, and its context: ours say so in a config.json, PEFT's are looked at. */
function describedBert(
  directory: string,
  adapter: string,
): { heads: BertHeadsSettings; contextLength?: number } {
  if (isFile(`${adapter}/config.json`)) {
    const { heads, config: { contextLength } } = readBertConfig(adapter);
    return { heads, contextLength };
  }
  const { heads } = readBertConfig(directory);
  const { taskType } = readPeftConfig(adapter);
  if (taskType === HEADS.answer.taskType) return { heads: { kind: "question-answering" } };
  const labels = labelsIn(adapter, "classifier");
  if (labels === undefined || ("labels" in heads && heads.labels.length === labels.length)) {
    return { heads };
  }
  if (taskType === HEADS.tag.taskType) return { heads: { kind: "token-classification", labels } };
  const labelKind = labels.length === 1 ? "number" : "single";
  return { heads: { kind: "sequence-classification", labels, labelKind } };
}

/** The same of a GPT that classifies; nothing where the directory's own labels are the adapter's. */
function describedGptClassifier(
  directory: string,
  adapter: string,
): GptClassifierSettings | undefined {
  if (isFile(`${adapter}/config.json`)) {
    const { config: _, ...settings } = readGptClassifierConfig(adapter);
    return settings;
  }
  const labels = labelsIn(adapter, "score");
  if (labels === undefined || modelTask(directory) === "classify") return undefined;
  const [padId = 0] = endOfTextIds(readConfig(directory));
  return { labels, labelKind: labels.length === 1 ? "number" : "single", padId };
}

/** Names that `transformers` gives labels of which only the number is known. */
function labelsIn(adapter: string, layer: string): string[] | undefined {
  using file = openSafetensors(`${adapter}/${ADAPTER_WEIGHTS}`);
  const name = `${PEFT_PREFIX}${layer}.weight`;
  if (!file.has(name)) return undefined;
  return Array.from({ length: file.info(name).shape[0] }, (_, i) => `LABEL_${i}`);
}

function hasHead(adapter: string, layer: string): boolean {
  return labelsIn(adapter, layer) !== undefined;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
