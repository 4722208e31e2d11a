/**
 * From a logit back to the hidden row that it is read from: in which direction the row moves the logit, and
 * what biases add. What the head does between is held at what it was in this pass: see `logit_attribution.ts`.
 *
 * @module
 */
import { activation } from "../../autograd/ops/activation.ts";
import { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import { kindOf } from "../../kernels/activation.ts";
import type { Bert } from "../../models/bert.ts";
import { Gpt } from "../../models/gpt.ts";
import type { PlainWeights } from "../plain_weights.ts";
import type { ProbedModel } from "../probed_model.ts";

/** What one component adds to the logit. */
export interface Contribution {
  /** The hook point of what it writes, or `… bias` of a norm or of the head. */
  component: string;
  /** In logits. */
  value: number;
}

/** How the hidden row moves the logit. */
export interface LogitDirection {
  /** (C): the logit is its product with the hidden row, and the biases. */
  direction: Float64Array;
  /** What biases add, last first. */
  biases: Contribution[];
}

/** Two logits, of which the second is subtracted, or one. */
export type Answers = readonly [answer: number, against?: number];

/** Σ a·b. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** From a direction over a norm's output to one over its input: (w⊙d - mean(w⊙d))/scale. */
export function throughNorm(d: Float64Array, weight: Float64Array, scale: number): Float64Array {
  const weighted = d.map((v, i) => v * weight[i]);
  const mean = weighted.reduce((a, b) => a + b, 0) / weighted.length;
  return weighted.map((v) => (v - mean) / scale);
}

/**
 * The direction over the hidden row of one place.
 *
 * @param row the row of what was seen at a hook point
 * @throws {VitrailError} if the model is a BERT without a head
 */
export async function logitDirection(
  model: ProbedModel,
  weights: PlainWeights,
  { row, answers }: { row: (name: string) => Float64Array; answers: Answers },
): Promise<LogitDirection> {
  if (model instanceof Gpt) {
    const { tieWeights } = model.config;
    const u = await difference(weights, tieWeights ? "transformer.wte" : "lm_head", answers);
    const [w, b] = await weights.read("transformer.ln_f.weight", "transformer.ln_f.bias");
    return {
      direction: throughNorm(u, w, row("ln_final.hook_scale")[0]),
      biases: [{ component: "ln_final bias", value: dot(u, b) }],
    };
  }
  const hidden = row(`blocks.${model.config.layers - 1}.hook_normalized_resid_post`);
  switch (model.heads.settings.kind) {
    case "pretraining":
    case "masked-language":
      return await throughMaskedHead(model, weights, { row, hidden, answers });
    case "token-classification":
      return await linearHead(weights, "classifier", answers);
    case "question-answering":
      return await linearHead(weights, "qa_outputs", answers);
    case "sequence-classification":
      return await throughPooler(weights, "classifier", { hidden, answers });
    case "next-sentence":
      return await throughPooler(weights, "cls.seq_relationship", { hidden, answers });
    case "none":
      throw new VitrailError(
        "Cannot attribute a logit of this BERT: it has no head; wanted one that was pre-trained or " +
          "fine-tuned",
      );
  }
}

async function linearHead(
  weights: PlainWeights,
  name: string,
  answers: Answers,
): Promise<LogitDirection> {
  const direction = await difference(weights, name, answers);
  const [bias] = await weights.read(`${name}.bias`);
  return { direction, biases: [{ component: "head bias", value: ofBias(bias, answers) }] };
}

/** Decoder, norm, activation and dense, from the logit back to the hidden row. */
async function throughMaskedHead(
  model: Bert,
  weights: PlainWeights,
  { row, hidden, answers }: {
    row: (name: string) => Float64Array;
    hidden: Float64Array;
    answers: Answers;
  },
): Promise<LogitDirection> {
  const head = "cls.predictions.transform";
  const { tieWeights, activation: named } = model.config;
  const decoder = tieWeights ? "bert.embeddings.word_embeddings" : "cls.predictions.decoder";
  const u = await difference(weights, decoder, answers);
  const [decoderBias, w, b, dense, denseBias] = await weights.read(
    "cls.predictions.bias",
    `${head}.LayerNorm.weight`,
    `${head}.LayerNorm.bias`,
    `${head}.dense.weight`,
    `${head}.dense.bias`,
  );
  const before = affine(dense, hidden, denseBias);
  const { device } = model;
  const [{ data: after }] = await device.compute(() => [
    activation(new Run(device), device.upload(Float32Array.from(before)), kindOf(named)),
  ]);
  const overNorm = throughNorm(u, w, row("mlm_head.ln.hook_scale")[0]);
  const gated = overNorm.map((d, i) => d * ratio(after[i], before[i], 0.5));
  return {
    direction: transposedTimes(dense, gated),
    biases: [
      { component: "head bias", value: ofBias(decoderBias, answers) },
      { component: "mlm_head.ln bias", value: dot(u, b) },
      { component: "mlm_head dense bias", value: dot(gated, denseBias) },
    ],
  };
}

/** Classifier, tanh and dense, from the logit back to the hidden row of the first place. */
async function throughPooler(
  weights: PlainWeights,
  head: string,
  { hidden, answers }: { hidden: Float64Array; answers: Answers },
): Promise<LogitDirection> {
  const { direction: u, biases } = await linearHead(weights, head, answers);
  const [dense, bias] = await weights.read("bert.pooler.dense.weight", "bert.pooler.dense.bias");
  const before = affine(dense, hidden, bias);
  const gated = u.map((d, i) => d * ratio(Math.tanh(before[i]), before[i], 1));
  return {
    direction: transposedTimes(dense, gated),
    biases: [...biases, { component: "pooler bias", value: dot(gated, bias) }],
  };
}

/** The row of the answer, less that of the other. */
async function difference(
  weights: PlainWeights,
  name: string,
  [answer, against]: Answers,
): Promise<Float64Array> {
  const ids = against === undefined ? [answer] : [answer, against];
  const [own, other] = await weights.rows(`${name}.weight`, ids);
  return other ? own.map((v, i) => v - other[i]) : own;
}

function ofBias(bias: Float64Array, [answer, against]: Answers): number {
  return bias[answer] - (against === undefined ? 0 : bias[against]);
}

/** W·x + b for W (out, in). */
function affine(weight: Float64Array, x: Float64Array, bias: Float64Array): Float64Array {
  return bias.map((b, i) => b + dot(weight.subarray(i * x.length, (i + 1) * x.length), x));
}

/** Wᵀ·d for W (out, in). */
function transposedTimes(weight: Float64Array, d: Float64Array): Float64Array {
  const columns = weight.length / d.length;
  const out = new Float64Array(columns);
  d.forEach((v, i) => {
    for (let j = 0; j < columns; j++) out[j] += v * weight[i * columns + j];
  });
  return out;
}

/** g(a)/a; where a is nothing, what it tends to. */
function ratio(after: number, before: number, limit: number): number {
  return Math.abs(before) < 1e-6 ? limit : after / before;
}
