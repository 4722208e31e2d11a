/**
 * Labels for texts, from a model directory of either family.
 *
 * @module
 */
import { Run } from "../autograd/run.ts";
import { byLength, encodeTexts, padBatch, sequenceFormat } from "../data/padded_sequences.ts";
import type { LabelKind } from "../formats/huggingface_bert.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { loadAdaptedClassifier } from "../models/adapted_models.ts";
import type { SequenceClassifier } from "../models/sequence_classifier.ts";
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
  /** Whether its end was cut off. */
  truncated: boolean;
}

/** How texts are classified. */
export interface ClassifyOptions {
  /** Labels to give for each text, the best first; all by default. */
  topK?: number;
  /** Texts at once; default 16. */
  batch?: number;
  /** Most tokens of a text; the model's context by default. */
  limit?: number;
}

/** Batches between two reads, each of which waits for the device. */
const READ_EVERY = 16;

/** A model and its tokenizer. */
export class TextClassifier {
  /** The model. */
  readonly model: SequenceClassifier;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;

  /** `loadTextClassifier` is the usual way in. */
  constructor(model: SequenceClassifier, tokenizer: Tokenizer) {
    this.model = model;
    this.tokenizer = tokenizer;
  }

  /**
   * Labels for texts, in the order of the texts.
   *
   * @throws {VitrailError} if the tokenizer does not belong to the model.
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
   *   device.destroy();
   * }
   * ```
   */
  async classify(
    texts: readonly string[],
    options: ClassifyOptions = {},
  ): Promise<ClassifiedText[]> {
    const { model } = this;
    const { topK = model.labels.length, batch = 16 } = options;
    const limit = Math.min(options.limit ?? model.contextLength, model.contextLength);
    const format = sequenceFormat(this.tokenizer, { ...model, limit });
    const { sequences, cut } = encodeTexts(texts, this.tokenizer, format);
    const found = new Array<ClassifiedText>(texts.length);
    const batches = byLength(sequences, batch);
    for (let from = 0; from < batches.length; from += READ_EVERY) {
      using _scope = model.device.scope();
      const some = batches.slice(from, from + READ_EVERY);
      const logits: Tensor[] = some.map((numbers) => {
        using scope = model.device.scope();
        const padded = padBatch(numbers.map((i) => sequences[i]), format);
        return scope.keep(model.logits(new Run(model.device), padded));
      });
      const read = await model.device.read(...logits);
      some.forEach((numbers, b) =>
        numbers.forEach((i, row) => {
          const size = model.labels.length;
          const own = Array.from(read[b].subarray(row * size, (row + 1) * size));
          const scores = scoresOf(own, model.labelKind);
          const labels = scores.map((score, k) => ({ label: model.labels[k], score }));
          if (model.labelKind !== "number") labels.sort((a, b) => b.score - a.score);
          found[i] = { labels: labels.slice(0, topK), truncated: cut[i] };
        })
      );
    }
    return found;
  }
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
  const tokenizer = await loadTokenizer(directory);
  const { model } = loadAdaptedClassifier(device, directory, options.adapter);
  return new TextClassifier(model, tokenizer);
}
