/**
 * What a BERT is asked, and how far its answer is off: the loss of each task.
 *
 * @module
 */
import { crossEntropy, type Loss } from "../autograd/ops/cross_entropy.ts";
import { gatherRows } from "../autograd/ops/gather_rows.ts";
import { pointwiseLoss } from "../autograd/ops/pointwise_loss.ts";
import type { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Bert, BertInput } from "./bert.ts";
import { uploadTargets } from "./ids.ts";

/** One term of a loss. */
export interface LossTerm {
  /** What it is called in metrics. */
  name: string;
  /** (mean, number of targets). */
  result: Tensor;
  /** Its factor in the sum. */
  scale: number;
}

/** The terms of a loss, whose backward pass begins at all of them, and the logits behind them. */
export interface LabelledLoss {
  /** The terms. */
  losses: LossTerm[];
  /** Logits by what they are about. */
  logits: Record<string, Tensor>;
  /** Numbers of the places (of B·T) whose tokens were guessed. */
  rows?: Uint32Array;
}

/** Where nothing is asked. */
const IGNORED = -100;

/** A head that the model was not made with. */
function missing(model: Bert, task: string): VitrailError {
  return new VitrailError(
    `Cannot ${task} with this BERT: its head is for ${model.heads.settings.kind}; ` +
      "fine-tune it for that first",
  );
}

/**
 * Masked language modelling and next sentence prediction (Devlin et al. 2019, section 3.1).
 *
 * Logits of tokens are computed only where one is asked for: (asked, V). A recorded pass does not keep
 * them: they become their own gradient.
 *
 * @param task.tokens the token at each place (B·T), -100 where nothing is asked
 * @param task.follows for each sequence 0 if its second segment followed the first, else 1 (B)
 * @param task.scales the backward pass starts from them: one for each term
 * @throws {VitrailError} if the model lacks the head.
 */
export function preTrain(
  run: Run,
  model: Bert,
  task: BertInput & { tokens: Int32Array; follows?: Int32Array; scales?: readonly number[] },
): LabelledLoss {
  const { tokens, follows, scales: [scale, followsScale] = [1, 1] } = task;
  const { masked, classifier, pooler } = model.heads;
  if (!masked || (follows && !(classifier && pooler))) throw missing(model, "guess tokens");
  const hidden = model.hidden(run, task);
  // With nothing asked, the first place stands in and counts for nothing.
  const asked = Array.from(tokens.keys()).filter((i) => tokens[i] !== IGNORED);
  const rows = Uint32Array.from(asked.length > 0 ? asked : [0]);
  const asTargets = Int32Array.from(rows, (r) => tokens[r]);
  const targets = uploadTargets(model.device, asTargets, { classes: model.config.vocabularySize });
  const places = gatherRows(run, hidden, model.device.upload(rows));
  const logits: Record<string, Tensor> = {};
  let first: Loss;
  if (run.tape) {
    first = masked.loss(run, places, { targets, scale });
  } else {
    logits.tokens = masked.forward(run, places);
    first = crossEntropy(run, logits.tokens, { targets });
  }
  const losses = [{ name: "maskedLoss", result: first.result, scale: 1 }];
  if (follows) {
    logits.follows = classifier!.forward(run, pooler!.forward(run, hidden));
    const labels = uploadTargets(model.device, follows, { classes: 2 });
    const second = crossEntropy(run, logits.follows, { targets: labels, scale: followsScale });
    losses.push({ name: "nextSentenceLoss", result: second.result, scale: 1 });
  }
  return { losses, logits, rows };
}

/**
 * Labels for whole sequences.
 *
 * @param task.labels one class for each sequence (B); or, of several labels or numbers, all (B·labels)
 * @throws {VitrailError} if the model lacks the head.
 */
export function classify(
  run: Run,
  model: Bert,
  task: BertInput & { labels: Int32Array | Float32Array; scale?: number },
): LabelledLoss {
  const { settings } = model.heads;
  if (settings.kind !== "sequence-classification") throw missing(model, "classify sequences");
  const { scale = 1 } = task;
  const logits = classLogits(run, model, task);
  if (settings.labelKind === "single") {
    const targets = uploadTargets(model.device, task.labels, { classes: settings.labels.length });
    const { result } = crossEntropy(run, logits, { targets, scale });
    return { losses: [{ name: "loss", result, scale: 1 }], logits: { classes: logits } };
  }
  const targets = model.device.upload(Float32Array.from(task.labels));
  const kind = settings.labelKind === "multiple" ? "logistic" : "squared";
  const result = pointwiseLoss(run, logits, { targets, kind, scale });
  return { losses: [{ name: "loss", result, scale: 1 }], logits: { classes: logits } };
}

/** Logits of whole sequences (B, labels). */
export function classLogits(run: Run, model: Bert, input: BertInput): Tensor {
  const { pooler, classifier } = model.heads;
  if (!pooler || !classifier) throw missing(model, "classify sequences");
  return classifier.forward(run, pooler.forward(run, model.hidden(run, input)));
}

/**
 * Labels for tokens.
 *
 * @param task.labels a class for each place (B·T), -100 where none is asked
 * @throws {VitrailError} if the model lacks the head.
 */
export function tag(
  run: Run,
  model: Bert,
  task: BertInput & { labels: Int32Array; scale?: number },
): LabelledLoss {
  const logits = tagLogits(run, model, task);
  const targets = uploadTargets(model.device, task.labels, { classes: logits.shape.at(-1)! });
  const { result } = crossEntropy(run, logits, { targets, scale: task.scale ?? 1 });
  return { losses: [{ name: "loss", result, scale: 1 }], logits: { tags: logits } };
}

/** Logits of every token (B, T, labels). */
export function tagLogits(run: Run, model: Bert, input: BertInput): Tensor {
  const { classifier, settings } = model.heads;
  if (settings.kind !== "token-classification") throw missing(model, "tag tokens");
  return classifier!.forward(run, model.hidden(run, input));
}

/**
 * Where answers begin and end: the mean of two losses over the places of each sequence.
 *
 * @param task.begins place of the first token of each answer (B), -100 where none is asked
 * @param task.ends place of its last token (B)
 * @param task.scales the backward pass starts from half of them: one for each term
 * @throws {VitrailError} if the model lacks the head.
 */
export function answer(
  run: Run,
  model: Bert,
  task: BertInput & { begins: Int32Array; ends: Int32Array; scales?: readonly number[] },
): LabelledLoss {
  const logits = answerLogits(run, model, task);
  const { scales: [begins, ends] = [1, 1] } = task;
  const lossOf = (side: "begins" | "ends", scale: number): LossTerm => {
    const targets = uploadTargets(model.device, task[side], { classes: task.ids.shape[1] });
    const { result } = crossEntropy(run, logits[side], { targets, scale: scale / 2 });
    return { name: side === "begins" ? "beginLoss" : "endLoss", result, scale: 0.5 };
  };
  return { losses: [lossOf("begins", begins), lossOf("ends", ends)], logits };
}

/** Logits of each place as the first and as the last of an answer, (B, T) each. */
export function answerLogits(
  run: Run,
  model: Bert,
  input: BertInput,
): { begins: Tensor; ends: Tensor } {
  const { classifier, settings } = model.heads;
  if (settings.kind !== "question-answering") throw missing(model, "answer questions");
  const both = classifier!.forward(run, model.hidden(run, input)); // (B, T, 2)
  const { shape } = input.ids;
  const side = (offset: number): Tensor => {
    const rows = Uint32Array.from({ length: shape[0] * shape[1] }, (_, i) => 2 * i + offset);
    return gatherRows(run, both, model.device.upload(rows, shape), 1);
  };
  return { begins: side(0), ends: side(1) };
}
