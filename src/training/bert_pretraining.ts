/**
 * Pre-training BERT, as the training loop takes it: masked tokens and next sentences.
 *
 * @module
 */
import { Run } from "../autograd/run.ts";
import type { PretrainingBatch } from "../data/pretraining/pretraining_batches.ts";
import { sample } from "../kernels/sample.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Bert } from "../models/bert.ts";
import { type LabelledLoss, preTrain } from "../models/bert_tasks.ts";
import { saveBert } from "../models/files.ts";
import { evaluate } from "./evaluate.ts";
import { countTargets, type Task } from "./task.ts";

/**
 * Guessing masked tokens and, with the heads for pre-training, whether a second segment follows the
 * first. The terms are `maskedLoss` and `nextSentenceLoss`, in nats.
 */
export function bertPretraining(model: Bert): Task<PretrainingBatch> {
  const pairs = model.heads.classifier !== undefined;
  return {
    device: model.device,
    parameters: model.parameters,
    terms: pairs ? ["maskedLoss", "nextSentenceLoss"] : ["maskedLoss"],
    targetCounts({ tokens, follows }) {
      const masked = countTargets(tokens);
      return pairs ? [masked, follows ? countTargets(follows) : 0] : [masked];
    },
    loss: (run, batch, scales) => ask(run, model, batch, scales).losses,
    save: (directory) => saveBert(model, directory),
  };
}

/** Losses and logits of a batch. */
function ask(
  run: Run,
  model: Bert,
  batch: PretrainingBatch,
  scales?: readonly number[],
): LabelledLoss {
  const { shape, ids, segments, mask, tokens, follows } = batch;
  const { device } = model;
  return preTrain(run, model, {
    ids: model.ids(ids, shape),
    segments: device.upload(Uint32Array.from(segments), shape),
    mask: mask && device.upload(Float32Array.from(mask), shape),
    tokens,
    follows,
    scales,
  });
}

/** How often a model guesses right. */
export interface PretrainingAccuracy {
  /** Part of the masked tokens. */
  maskedAccuracy: number;
  /** Part of the next sentences; absent without pairs. */
  nextSentenceAccuracy?: number;
  /** Part of the commoner label of next sentences: what a constant guess reaches. */
  nextSentenceBaseline?: number;
}

/** Accuracy of the likeliest guesses, each counting once. */
export async function pretrainingAccuracy(
  model: Bert,
  batches: Iterable<PretrainingBatch>,
): Promise<PretrainingAccuracy> {
  const counts = { tokens: 0, tokensRight: 0, pairs: 0, pairsRight: 0, elsewhere: 0 };
  for (const batch of batches) {
    let rows: Uint32Array | undefined;
    const [tokens, follows] = (await model.device.compute(() => {
      const asked = ask(new Run(model.device), model, batch);
      rows = asked.rows;
      return [asked.logits.tokens, asked.logits.follows].filter((l) => l !== undefined)
        .map(likeliest);
    })).map(({ data }) => data);
    rows!.forEach((row, i) => {
      if (batch.tokens[row] < 0) return;
      counts.tokens++;
      counts.tokensRight += tokens[i] === batch.tokens[row] ? 1 : 0;
    });
    batch.follows?.forEach((label, i) => {
      counts.pairs++;
      counts.elsewhere += label;
      counts.pairsRight += follows[i] === label ? 1 : 0;
    });
  }
  const maskedAccuracy = counts.tokensRight / counts.tokens;
  if (counts.pairs === 0) return { maskedAccuracy };
  return {
    maskedAccuracy,
    nextSentenceAccuracy: counts.pairsRight / counts.pairs,
    nextSentenceBaseline: Math.max(counts.elsewhere, counts.pairs - counts.elsewhere) /
      counts.pairs,
  };
}

/** How well a model does what it was pre-trained for. */
export interface PretrainingEvaluation {
  /** Mean cross-entropy of a masked token, in nats. */
  maskedLoss: number;
  /** Part of the masked tokens that are guessed. */
  maskedAccuracy: number;
  /** Masked tokens. */
  tokens: number;
  /** Of pairs of segments, where the model has a head for them. */
  nextSentence?: {
    /** Mean cross-entropy, in nats. */
    loss: number;
    /** Part that is right. */
    accuracy: number;
    /** Part of the commoner label: what a constant guess reaches. */
    baseline: number;
    /** Pairs. */
    pairs: number;
  };
}

/**
 * Losses and accuracies over batches, each token and pair counting once.
 *
 * @param batches gives them anew each time: they are looked at twice
 * @throws {VitrailError} if the model lacks the head, or nothing is masked
 *
 * @example
 * ```ts
 * import { type Bert, evaluatePretraining, type PretrainingSampler } from "../../mod.ts";
 *
 * async function print(model: Bert, heldOut: PretrainingSampler) {
 *   const { maskedLoss } = await evaluatePretraining(model, () => heldOut.first());
 *   console.log(Math.exp(maskedLoss)); // perplexity
 * }
 * ```
 */
export async function evaluatePretraining(
  model: Bert,
  batches: () => Iterable<PretrainingBatch>,
): Promise<PretrainingEvaluation> {
  let pairs = 0;
  const counted = function* (): Generator<PretrainingBatch> {
    for (const batch of batches()) {
      pairs += batch.follows?.length ?? 0;
      yield batch;
    }
  };
  const { loss, terms, tokens } = await evaluate(bertPretraining(model), counted());
  const accuracy = await pretrainingAccuracy(model, batches());
  const { maskedAccuracy, nextSentenceAccuracy, nextSentenceBaseline } = accuracy;
  const found = { maskedLoss: terms?.maskedLoss ?? loss, maskedAccuracy, tokens };
  if (!terms) return found;
  return {
    ...found,
    nextSentence: {
      loss: terms.nextSentenceLoss,
      accuracy: nextSentenceAccuracy!,
      baseline: nextSentenceBaseline!,
      pairs,
    },
  };
}

/** The class of the largest logit in each row: (N, V) to (N), without reading the logits back. */
function likeliest(logits: Tensor): Tensor {
  const { device } = logits;
  const rows = logits.size / logits.shape.at(-1)!;
  const ids = device.zeros([rows], "u32");
  sample(
    {
      logits: logits.reshape([rows, logits.shape.at(-1)!]),
      seen: device.zeros([rows, logits.shape.at(-1)!], "u32"),
      ids,
      tokens: device.zeros([rows, 1], "u32"),
    },
    {
      temperature: 0,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      seed: 0,
      position: 0,
    },
  );
  return ids;
}
