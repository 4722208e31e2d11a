/**
 * Fine-tuning for labels of whole sequences.
 *
 * @module
 */
import { byLength } from "../data/padded_sequences.ts";
import {
  type LabelledBatch,
  labelledBatch,
  type LabelledSequences,
  meanOverWindows,
  windowsOf,
} from "../data/labels/labelled_batches.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { classificationLoss, type SequenceClassifier } from "../models/sequence_classifier.ts";
import { countTargets, type Task } from "./task.ts";

/**
 * What the held-out sequences got in the latest evaluation: the loop asks for their loss, and keeps the
 * logits behind it here, so that no sequence is run twice to measure more than that.
 */
export class HeldOutLogits implements Disposable {
  readonly #data: LabelledSequences;
  readonly #model: SequenceClassifier;
  readonly #batches: number[][];
  readonly #kept: Tensor;
  #filled = 0;

  /** Makes room for as many as there are. */
  constructor(model: SequenceClassifier, data: LabelledSequences, batch: number) {
    this.#data = data;
    this.#model = model;
    this.#batches = byLength(data.sequences, batch);
    const shape = [data.sequences.length, model.labels.length];
    this.#kept = model.device.pool.persistent(() => model.device.tensor(shape));
  }

  /** Gives its memory back. */
  [Symbol.dispose](): void {
    this.#model.device.pool.release(this.#kept.buffer);
  }

  /** The batches of an evaluation, whose logits are kept from now on. */
  *batches(): Generator<LabelledBatch> {
    const { padId, contextLength: limit } = this.#model;
    this.#filled = 0;
    for (const chosen of this.#batches) yield labelledBatch(this.#data, chosen, { padId, limit });
  }

  /** Keeps the logits of a batch, if it belongs to an evaluation. */
  keep(logits: Tensor): void {
    if (this.#filled + logits.size > this.#kept.size) return;
    const target = 4 * this.#filled;
    logits.device.commands.copy(logits.buffer, this.#kept.buffer, 4 * logits.size, { target });
    this.#filled += logits.size;
  }

  /** Logits of each text, in the order of the data; of several windows their mean. */
  async read(): Promise<number[][]> {
    const all = await this.#kept.read();
    const width = this.#model.labels.length;
    const found = new Array<number[]>(this.#data.sequences.length);
    this.#batches.flat().forEach((number, row) => {
      found[number] = Array.from(all.subarray(row * width, (row + 1) * width));
    });
    return meanOverWindows(found, windowsOf(this.#data));
  }
}

/**
 * Learning the labels of sequences.
 *
 * @param options.weights how much each class counts in training; the validation loss is without them
 * @param options.heldOut keeps the logits of evaluations
 */
export function sequenceClassification(
  model: SequenceClassifier,
  options: { weights?: readonly number[]; heldOut?: HeldOutLogits } = {},
): Task<LabelledBatch> {
  const { device, parameters, labelKind: kind } = model;
  return {
    device,
    parameters,
    terms: ["loss"],
    targetCounts({ targets }) {
      const { weights } = options;
      if (!weights || kind !== "single") return [countTargets(targets)];
      return [Array.from(targets).reduce((sum, target) => sum + (weights[target] ?? 0), 0)];
    },
    loss(run, batch, [scale]) {
      const logits = model.logits(run, batch);
      if (!run.training) options.heldOut?.keep(logits);
      const weights = run.training ? options.weights : undefined;
      const { targets } = batch;
      return [{
        result: classificationLoss(run, logits, { kind, targets, scale, weights }),
        scale: 1,
      }];
    },
    save: (directory) => model.save(directory),
  };
}

/** Weights that make every class count as much as any other: n / (classes · texts of it). */
export function balancedWeights({ targets }: LabelledSequences, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const [target] of targets) counts[target]++;
  return counts.map((count) => count === 0 ? 0 : targets.length / (classes * count));
}
