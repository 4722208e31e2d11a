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
import { isFile, type ModelAndAdapter, modelAndAdapter } from "../formats/adapter_base.ts";
import { readJsonObject } from "../formats/json_file.ts";
import { showPath } from "../formats/messages.ts";
import { PEFT_PREFIX, readPeftConfig } from "../formats/peft.ts";
import { openAdapterWeights, openModelWeights } from "../formats/safetensors.ts";
import type { Device } from "../gpu/device.ts";
import { loadAdapter, type LoraAdapter, replacesHalf } from "./adapters.ts";
import type { Bert } from "./bert.ts";
import { loadBert, loadGpt } from "./files.ts";
import type { Gpt } from "./gpt.ts";
import { BERT, GPT2, type TiedNames } from "./tied_weights.ts";
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
export function modelTask(path: string, given?: string): ModelTask {
  const { model: directory, adapter } = modelAndAdapter({ model: path, adapter: given });
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
 * Opens a GPT-2 directory, and adds an adapter to it if one is given. `path` may also be an adapter's
 * directory alone: the model is then the one that it names.
 *
 * @throws {VitrailError} if a file is missing or damaged, or the adapter belongs to another model
 */
export function loadAdaptedGpt(
  device: Device,
  path: string,
  given?: string,
  packing: Parameters<typeof loadGpt>[2] = {},
): Adapted<Gpt> {
  const { model: directory, adapter } = modelAndAdapter({ model: path, adapter: given });
  const untie = adapter !== undefined && unties(adapter, GPT2);
  return adapted(loadGpt(device, directory, { ...packing, untie }), adapter);
}

/**
 * Opens a BERT directory, and adds an adapter to it if one is given: its head is the adapter's then.
 * `path` may also be an adapter's directory alone.
 *
 * @throws {VitrailError} if a file is missing or damaged, or the adapter belongs to another model
 */
export function loadAdaptedBert(
  device: Device,
  path: string,
  given?: string,
): Adapted<Bert> {
  const { model: directory, adapter } = modelAndAdapter({ model: path, adapter: given });
  if (adapter === undefined) return { model: loadBert(device, directory) };
  const halves = unties(adapter, BERT);
  const described = describedBert(directory, adapter);
  const untie = halves && ["pretraining", "masked-language"].includes(described.heads.kind);
  return adapted(loadBert(device, directory, { ...described, untie }), adapter);
}

/**
 * Opens a classifier of either family, and adds an adapter to it if one is given: its labels are the
 * adapter's then, and its directory may be of a model that is no classifier itself. `path` may also be an
 * adapter's directory alone.
 *
 * @throws {VitrailError} if a file is missing or damaged, or the adapter belongs to another model
 */
export function loadAdaptedClassifier(
  device: Device,
  path: string,
  given?: string,
): Adapted<SequenceClassifier> {
  const { model: directory, adapter } = modelAndAdapter({ model: path, adapter: given });
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

/** Whether an adapter replaces one half of weights that its model may tie. */
function unties(adapter: string, names: TiedNames): boolean {
  readPeftConfig(adapter);
  using file = openAdapterWeights(adapter);
  return replacesHalf(file, names);
}

/** Names that `transformers` gives labels of which only the number is known. */
function labelsIn(adapter: string, layer: string): string[] | undefined {
  using file = openAdapterWeights(adapter);
  const name = `${PEFT_PREFIX}${layer}.weight`;
  if (!file.has(name)) return undefined;
  return Array.from({ length: file.info(name).shape[0] }, (_, i) => `LABEL_${i}`);
}

function hasHead(adapter: string, layer: string): boolean {
  return labelsIn(adapter, layer) !== undefined;
}

/**
 * What is opened: a model's directory and an adapter's, checked as far as their configurations say. What is
 * wrong with these is reported before a tokenizer or a weight is looked at.
 *
 * @param family the only family that will do; either if absent
 * @throws {VitrailError} if the model is of another family or a variant that Vitrail does not have
 */
export function checkedModel(
  given: Partial<ModelAndAdapter>,
  family?: "bert",
): ModelAndAdapter {
  const found = modelAndAdapter(given);
  if ((family ?? modelFamily(found.model)) === "bert") readBertConfig(found.model);
  else readConfig(found.model);
  if (found.adapter !== undefined) readPeftConfig(found.adapter);
  return found;
}
