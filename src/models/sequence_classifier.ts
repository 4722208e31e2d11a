/**
 * What BERT and GPT have in common when they classify sequences, and the loss of it.
 *
 * @module
 */
import { crossEntropy } from "../autograd/ops/cross_entropy.ts";
import { pointwiseLoss } from "../autograd/ops/pointwise_loss.ts";
import { weightedCrossEntropy } from "../autograd/ops/weighted_cross_entropy.ts";
import type { Parameter } from "../autograd/parameter.ts";
import type { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import { type LabelKind, readBertConfig, writeBertConfig } from "../formats/huggingface_bert.ts";
import {
  readGptClassifierConfig,
  writeGptClassifierConfig,
} from "../formats/huggingface_gpt2_classifier.ts";
import { type PairFields, parseLabels } from "../formats/huggingface_labels.ts";
import { readConfigJson } from "../formats/huggingface_config.ts";
import { quoteValue, showPath } from "../formats/messages.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Linear } from "../nn/linear.ts";
import type { Bert } from "./bert.ts";
import { classLogits } from "./bert_tasks.ts";
import { loadBert, saveBert } from "./files.ts";
import { uploadTargets } from "./ids.ts";
import { type GptClassifier, loadGptClassifier, saveGptClassifier } from "./gpt_classifier.ts";
import { handOver } from "./hand_over.ts";

/** Sequences side by side, padded behind. */
export interface PaddedIds {
  /** (B·T) ids. */
  ids: ArrayLike<number>;
  /** (B·T) segment ids; all are 0 if absent. */
  segments?: ArrayLike<number>;
  /** Ids of each sequence that are no padding (B). */
  lengths: ArrayLike<number>;
  /** T. */
  time: number;
}

/** A model that gives logits for whole sequences. */
export interface SequenceClassifier extends Disposable {
  /** Which family it is of. */
  readonly family: "bert" | "gpt2";
  /** Where it lives. */
  readonly device: Device;
  /** All that is trained. */
  readonly parameters: Parameter[];
  /** The linear layers that LoRA can adapt. */
  readonly linears: readonly Linear[];
  /** Names of its outputs. */
  readonly labels: readonly string[];
  /** What they mean. */
  readonly labelKind: LabelKind;
  /** Of a model that was trained on pairs of texts, the fields that held them. */
  readonly pairFields?: PairFields;
  /** The longest sequence. */
  readonly contextLength: number;
  /** What fills up short sequences. */
  readonly padId: number;
  /** Sizes, for a report. */
  readonly config: {
    readonly layers: number;
    readonly channels: number;
    readonly heads: number;
    readonly vocabularySize: number;
    readonly contextLength: number;
  };
  /** Logits (B, labels). */
  logits(run: Run, batch: PaddedIds): Tensor;
  /** Writes the model's directory. */
  save(directory: string): Promise<void>;
  /** Writes of it only config.json, which names its labels: what an adapter's directory needs. */
  describe(directory: string): void;
}

/** A BERT made for sequence classification, as a classifier. */
export function bertSequenceClassifier(model: Bert): SequenceClassifier {
  const { settings } = model.heads;
  if (settings.kind !== "sequence-classification") throw otherHead(settings.kind);
  const { device, parameters, linears, config } = model;
  return {
    family: "bert",
    device,
    parameters,
    linears,
    config,
    labels: settings.labels,
    labelKind: settings.labelKind,
    pairFields: settings.pairFields,
    contextLength: config.contextLength,
    padId: config.padId,
    logits(run, { ids, segments, lengths, time }) {
      const shape = [lengths.length, time];
      if (segments && config.segments < 2) {
        throw new VitrailError(
          "Cannot read pairs of texts with this BERT: it has one segment (type_vocab_size), wanted " +
            "two; give one text, or another model",
        );
      }
      const hidden = new Float32Array(lengths.length * time);
      for (let b = 0; b < lengths.length; b++) {
        hidden.fill(-Infinity, b * time + lengths[b], (b + 1) * time);
      }
      return classLogits(run, model, {
        ids: model.ids(ids, shape),
        segments: segments && device.upload(Uint32Array.from(segments), shape),
        mask: device.upload(hidden, shape),
      });
    },
    save: (directory) => saveBert(model, directory),
    describe: (directory) => writeBertConfig(directory, { config, heads: settings }),
    [Symbol.dispose]: () => model[Symbol.dispose](),
  };
}

function otherHead(kind: string): VitrailError {
  return new VitrailError(
    `Cannot classify sequences with this BERT: its head is for ${kind}; fine-tune it ` +
      "with `vitrail finetune classify` first",
  );
}

/**
 * Checks by its config.json that a directory's model classifies sequences.
 *
 * @throws {VitrailError} if it is of neither family, a variant that Vitrail does not have, or for something
 * else
 */
export function checkClassifier(directory: string): void {
  if (modelFamily(directory) === "gpt2") return void readGptClassifierConfig(directory);
  const { heads } = readBertConfig(directory);
  if (heads.kind !== "sequence-classification") throw otherHead(heads.kind);
}

/** A GPT with a classifier's head. */
export function gptSequenceClassifier(model: GptClassifier): SequenceClassifier {
  const { gpt, parameters, settings } = model;
  return {
    family: "gpt2",
    device: gpt.device,
    parameters,
    linears: gpt.linears,
    config: gpt.config,
    ...settings,
    padId: settings.padId ?? 0,
    contextLength: gpt.config.contextLength,
    logits(run, { ids, lengths, time }) {
      const seen = Array.from(
        lengths,
        (length, b) =>
          length > time
            ? length
            : endOfText(ids, { begin: b * time, length, padId: settings.padId }),
      );
      return model.logits(run, gpt.ids(ids, [lengths.length, time]), { lengths: seen });
    },
    save: (directory) => saveGptClassifier(model, directory),
    describe: (directory) =>
      writeGptClassifierConfig(directory, { config: gpt.config, ...settings }),
    [Symbol.dispose]: () => model[Symbol.dispose](),
  };
}

/**
 * Tokens of a sequence up to its last one that is no padding. `transformers` classifies by that one: where
 * a template ends each sequence with the token that also fills it up, the token before decides.
 */
function endOfText(
  ids: ArrayLike<number>,
  { begin, length, padId }: { begin: number; length: number; padId?: number },
): number {
  for (let end = length; end > 0; end--) if (ids[begin + end - 1] !== padId) return end;
  return Math.min(1, length);
}

/** Which family a model directory is of. */
export function modelFamily(directory: string): "bert" | "gpt2" {
  const { json: { model_type: type }, path } = readConfigJson(directory);
  if (type === "bert" || type === "gpt2") return type;
  throw new VitrailError(
    `Cannot use ${showPath(path)}: model_type is ${quoteValue(type)}, wanted "bert" or "gpt2"`,
  );
}

/**
 * Labels that the config.json of a directory names.
 *
 * @throws {VitrailError} if it is missing, or of neither family
 */
export function modelLabels(directory: string): string[] {
  modelFamily(directory);
  const { json, path } = readConfigJson(directory);
  return parseLabels(json, `Cannot use ${showPath(path)}`);
}

/**
 * Opens a classifier of either family; or, with `labels`, any model of theirs with a head for them,
 * which begins afresh where the directory has none that fits.
 *
 * @param options.padId for a GPT that is no classifier yet: what fills up short sequences
 * @param options.contextLength of a BERT, see {@linkcode loadBert}
 * @param options.dropout everywhere, with `labels`; the model's own if absent
 */
export function loadSequenceClassifier(
  device: Device,
  directory: string,
  options: {
    labels?: string[];
    labelKind?: LabelKind;
    pairFields?: PairFields;
    padId?: number;
    seed?: number;
    contextLength?: number;
    dropout?: number;
  } = {},
): SequenceClassifier {
  const { labels, labelKind = "single", pairFields, padId = 0 } = options;
  const { seed, contextLength, dropout } = options;
  if (modelFamily(directory) === "bert") {
    const kind = "sequence-classification" as const;
    const heads = labels && { kind, labels, labelKind, pairFields };
    const model = loadBert(device, directory, { heads, seed, contextLength, dropout });
    return handOver(model, bertSequenceClassifier);
  }
  const settings = labels && { labels, labelKind, pairFields, padId };
  return gptSequenceClassifier(loadGptClassifier(device, directory, { settings, seed, dropout }));
}

/**
 * Mean loss of logits (B, labels): cross-entropy of one class, binary cross-entropy of several
 * labels, squared error of numbers.
 *
 * @param options.targets class numbers (B), or a row for each sequence (B·labels)
 * @param options.weights of each class, in the mean of cross-entropies
 * @returns (mean, number of targets)
 */
export function classificationLoss(
  run: Run,
  logits: Tensor,
  options: {
    kind: LabelKind;
    targets: Int32Array | Float32Array;
    scale?: number;
    weights?: readonly number[];
  },
): Tensor {
  const { kind, scale = 1, weights } = options;
  const { device } = logits;
  if (kind !== "single") {
    const targets = device.upload(Float32Array.from(options.targets));
    return pointwiseLoss(run, logits, {
      targets,
      kind: kind === "multiple" ? "logistic" : "squared",
      scale,
    });
  }
  const classes = Int32Array.from(options.targets);
  const targets = uploadTargets(device, options.targets, { classes: logits.shape.at(-1)! });
  if (weights) return weightedCrossEntropy(run, logits, { targets: classes, weights, scale });
  return crossEntropy(run, logits, { targets, scale }).result;
}
