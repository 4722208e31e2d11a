/**
 * Labels for texts, from a model directory of either family.
 *
 * @module
 */
import { computeFinite } from "../autograd/not_finite.ts";
import type { Run } from "../autograd/run.ts";
import { type ClassificationFigures, measureLabels } from "../data/labels/label_scores.ts";
import { labelOfModel } from "../data/labels/label_order.ts";
import { labelTargets, meanOverWindows, windowsOf } from "../data/labels/labelled_batches.ts";
import { inputOf, type LabelledText } from "../data/labels/labelled_texts.ts";
import {
  byLength,
  encodeTexts,
  type LongTexts,
  padBatch,
  sequenceFormat,
  type TextInput,
} from "../data/padded_sequences.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, count, countOrAll } from "../formats/option_rules.ts";
import type { LabelKind } from "../formats/huggingface_bert.ts";
import { quoteName } from "../formats/messages.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { checkedModel, loadAdaptedClassifier } from "../models/adapted_models.ts";
import { checkClassifier, type SequenceClassifier } from "../models/sequence_classifier.ts";
import { checkFit } from "../tokenizers/fitting.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";

/** A label and how much speaks for it. */
export interface ScoredLabel {
  /** Its name. */
  label: string;
  /** Its probability; of a number, the number itself. */
  score: number;
}

/** What was found about a text. */
export interface ClassifiedText {
  /** The best first; numbers in their own order. */
  labels: ScoredLabel[];
  /** Whether its end was cut off; of a pair, the end of either text. */
  truncated: boolean;
}

/** How texts are classified. */
export interface ClassifyOptions {
  /** Labels to give for each text, the best first; all by default. */
  topK?: number;
  /** Texts at once; default 16. */
  batch?: number;
  /** Most tokens of a text, or of a window of it; the model's context by default. */
  limit?: number;
  /** Whether longer texts are cut, which is the default, or read in windows whose logits are averaged. */
  longTexts?: LongTexts;
  /** Told how many texts are done, of how many; of long ones each window counts. */
  onProgress?: (done: number, total: number) => void;
}

/** Labels of inference, paraphrases and duplicates. */
const COMPARING = /^((not[_ -]?)?(entailment|equivalent|duplicate)|contradiction)$/i;

/** Batches between two reads, each of which waits for the device. */
const READ_EVERY = 16;

/** A model and its tokenizer. */
export class TextClassifier implements Disposable {
  /** The model. */
  readonly model: SequenceClassifier;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;

  /** `loadTextClassifier` is the usual way in. */
  constructor(model: SequenceClassifier, tokenizer: Tokenizer) {
    checkFit(tokenizer, model.config);
    this.model = model;
    this.tokenizer = tokenizer;
  }

  /** Gives the memory of the model back: its use is an error from then on. */
  [Symbol.dispose](): void {
    this.model[Symbol.dispose]();
  }

  /**
   * Whether the labels compare two texts, as those of MNLI do, though nothing says what the model was
   * trained on.
   */
  get likelyPairs(): boolean {
    const { pairFields, labels } = this.model;
    return pairFields === undefined && labels.some((label) => COMPARING.test(label));
  }

  /**
   * Labels for texts, or for pairs of texts, in their order.
   *
   * @throws {VitrailError} if the tokenizer does not belong to the model, or if the model was trained on
   * pairs and is given one text.
   *
   * @example
   * ```ts
   * import { loadTextClassifier, openDevice } from "../../mod.ts";
   *
   * async function print(directory: string, texts: string[]) {
   *   const device = await openDevice();
   *   const classifier = await loadTextClassifier(device, directory);
   *   for (const { labels } of await classifier.classify(texts, { topK: 1 })) {
   *     console.log(labels[0].label, labels[0].score);
   *   }
   *   // A model of pairs, such as one of MNLI:
   *   // await classifier.classify([["A man sleeps.", "A man is awake."]]);
   *   device.destroy();
   * }
   * ```
   */
  async classify(
    texts: readonly TextInput[],
    options: ClassifyOptions = {},
  ): Promise<ClassifiedText[]> {
    const { labels: names, labelKind } = this.model;
    const { topK = names.length } = options;
    checkOptions("Cannot classify texts", { topK }, { topK: countOrAll });
    const { scores, cut } = await this.#scores(texts, options);
    return scores.map((own, i) => {
      const labels = own.map((score, k) => ({ label: names[k], score }));
      if (labelKind !== "number") labels.sort((a, b) => b.score - a.score);
      return { labels: labels.slice(0, topK), truncated: cut[i] };
    });
  }

  /**
   * How good the labels are, beside those that are known.
   *
   * @returns accuracy, macro F1, confusion and calibration of classes; what there is to tell of several
   * labels at once, or of numbers; the classes' numbers; and how many texts lost their ends
   * @throws {VitrailError} at a label that the model does not know, or as `classify`
   */
  async evaluate(
    examples: readonly LabelledText[],
    options: Omit<ClassifyOptions, "topK"> = {},
  ): Promise<{ figures: ClassificationFigures; targets: number[][]; truncated: number }> {
    const { labels: names, labelKind: kind } = this.model;
    const known = examples.map(({ labels, place }) => {
      if (kind === "number") return labels;
      return (labels as string[]).map((label) => {
        const meant = labelOfModel(label, names);
        if (meant !== undefined) return meant;
        throw new VitrailError(
          `Cannot evaluate on ${place}: it has the label ${quoteName(label)}, the model knows ` +
            names.map(quoteName).join(", "),
        );
      });
    });
    const targets = labelTargets(known, { names, kind });
    const { scores, cut } = await this.#scores(examples.map(inputOf), options);
    const figures = measureLabels(targets, scores, { kind, labels: [...names] });
    return { figures, targets, truncated: cut.filter(Boolean).length };
  }

  /** Scores of all labels for each text, in the model's order. */
  async #scores(
    texts: readonly TextInput[],
    options: ClassifyOptions,
  ): Promise<{ scores: number[][]; cut: boolean[] }> {
    const { model } = this;
    checkPairs(texts, model);
    const { batch = 16, limit: given = model.contextLength } = options;
    const rules = { batch: count, limit: countOrAll };
    checkOptions("Cannot classify texts", { batch, limit: given }, rules);
    const limit = Math.min(given, model.contextLength);
    const { longTexts = "cut" } = options;
    const format = { ...sequenceFormat(this.tokenizer, { ...model, limit }), longTexts };
    const encoded = encodeTexts(texts, this.tokenizer, format);
    const { sequences, segments } = encoded;
    const found = new Array<number[]>(sequences.length);
    const batches = byLength(sequences, batch);
    let done = 0;
    options.onProgress?.(done, sequences.length);
    for (let from = 0; from < batches.length; from += READ_EVERY) {
      const some = batches.slice(from, from + READ_EVERY);
      const logitsOf = (run: Run, numbers: number[]): Tensor => {
        const padded = padBatch(numbers.map((i) => sequences[i]), {
          ...format,
          segments: numbers.map((i) => segments[i]),
        });
        return model.logits(run, padded);
      };
      const read = await computeFinite(
        model,
        "Cannot classify the texts",
        some.map((numbers) => (run) => [logitsOf(run, numbers)]),
      );
      some.forEach((numbers, b) =>
        numbers.forEach((i, row) => {
          const size = model.labels.length;
          found[i] = Array.from(read[b][0].subarray(row * size, (row + 1) * size));
        })
      );
      done += some.reduce((sum, numbers) => sum + numbers.length, 0);
      options.onProgress?.(done, sequences.length);
    }
    const scores = meanOverWindows(found, windowsOf(encoded))
      .map((own) => scoresOf(own, model.labelKind));
    return { scores, cut: encoded.cut };
  }
}

/** A model that learnt to compare two texts says nothing of one that could be relied on. */
function checkPairs(
  texts: readonly TextInput[],
  { pairFields }: Pick<SequenceClassifier, "pairFields">,
): void {
  const alone = pairFields ? texts.findIndex((text) => typeof text === "string") : -1;
  if (alone < 0) return;
  throw new VitrailError(
    `Cannot classify text ${alone + 1} alone: the model was trained on pairs of texts ` +
      `(${
        pairFields!.join(", ")
      }); give the second text too, which \`vitrail classify\` takes as --pair`,
  );
}

/** Logits of one text as probabilities of classes, of labels, or as numbers. */
export function scoresOf(logits: readonly number[], kind: LabelKind): number[] {
  if (kind === "number") return [...logits];
  if (kind === "multiple") return logits.map((x) => 1 / (1 + Math.exp(-x)));
  const top = Math.max(...logits);
  const parts = logits.map((x) => Math.exp(x - top));
  const sum = parts.reduce((all, part) => all + part, 0);
  return parts.map((part) => part / sum);
}

/**
 * Opens a classifier's directory: a BERT or a GPT-2 that was fine-tuned for sequences.
 *
 * @param options.adapter directory of a LoRA adapter, which brings its labels to any model of its kind
 * @throws {VitrailError} if a file is missing or broken, or the model is for something else.
 */
export async function loadTextClassifier(
  device: Device,
  directory: string,
  options: { adapter?: string } = {},
): Promise<TextClassifier> {
  const found = checkedModel({ model: directory, adapter: options.adapter });
  if (found.adapter === undefined) checkClassifier(found.model);
  const tokenizer = await loadTokenizer(found.model);
  const { model } = loadAdaptedClassifier(device, found.model, found.adapter);
  return new TextClassifier(model, tokenizer);
}
