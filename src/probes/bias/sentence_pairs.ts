/**
 * Which of two sentences a model finds likelier, in the way of CrowS-Pairs (Nangia et al. 2020,
 * arXiv:2010.00133): pairs that differ in whom they are about.
 *
 *   GPT:   Σ_i ln P(token_i | those before), of all tokens but the first
 *   BERT:  Σ_u ln P(u | all others), of the tokens u that both sentences have, each masked in its turn
 *
 * @module
 */
import { gatherRows } from "../../autograd/ops/gather_rows.ts";
import { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import { Gpt } from "../../models/gpt.ts";
import type { ProbedText, ProbeSubject } from "../subject.ts";
import {
  mean,
  type PermutationOptions,
  type PermutationResult,
  signFlipTest,
} from "./permutation.ts";
import { logSumExp } from "./templates.ts";

/** Two sentences; the first is the one that agrees with a prejudice. */
export interface SentencePair {
  /** The one whose preference is measured. */
  first: string;
  /** The other. */
  second: string;
}

/** What is found of pairs. */
export interface PairPreference extends PermutationResult {
  /** The part of the pairs whose first sentence is likelier: a half, if the model has no preference. */
  share: number;
  /** Mean difference over its standard deviation. */
  effect: number;
  /** Each pair with its scores, in nats. */
  pairs: (SentencePair & { scores: readonly [number, number] })[];
}

/** Masked sentences at once. */
const BATCH = 32;

/**
 * Compares the sentences of each pair.
 *
 * @throws {VitrailError} if there is no pair, a sentence is too long, or the model predicts no tokens
 */
export async function sentencePreference(
  subject: ProbeSubject,
  pairs: readonly SentencePair[],
  options: PermutationOptions = {},
): Promise<PairPreference> {
  if (pairs.length === 0) {
    throw new VitrailError("Cannot compare sentences: there is no pair; wanted one at least");
  }
  const scored: PairPreference["pairs"] = [];
  for (const { first, second } of pairs) {
    const texts = [subject.encode(first), subject.encode(second)];
    const shared = subject.family === "bert" ? commonPlaces(texts[0].ids, texts[1].ids) : undefined;
    const scores: number[] = [];
    for (const [i, text] of texts.entries()) {
      scores.push(
        shared
          ? await maskedLogProbability(subject, text, shared.map((places) => places[i]))
          : await causalLogProbability(subject, text),
      );
    }
    scored.push({ first, second, scores: [scores[0], scores[1]] });
  }
  const differences = scored.map(({ scores: [a, b] }) => a - b);
  const middle = mean(differences);
  const squares = differences.reduce((sum, v) => sum + (v - middle) ** 2, 0);
  return {
    ...signFlipTest(differences, options),
    share: differences.filter((d) => d > 0).length / differences.length,
    effect: middle / Math.sqrt(squares / Math.max(1, differences.length - 1)),
    pairs: scored,
  };
}

/** Σ ln P of each token but the first, given those before it. */
async function causalLogProbability(subject: ProbeSubject, text: ProbedText): Promise<number> {
  const { model } = subject;
  if (!(model instanceof Gpt)) return NaN;
  const [{ data: logits }] = await model.device.compute(() => [
    model.forward(new Run(model.device), subject.input([text]).ids),
  ]);
  const V = model.config.vocabularySize;
  let sum = 0;
  for (let i = 1; i < text.ids.length; i++) {
    const row = logits.subarray((i - 1) * V, i * V);
    sum += row[text.ids[i]] - logSumExp(row);
  }
  return sum;
}

/** Σ ln P of the tokens at `places`, each masked alone. */
async function maskedLogProbability(
  subject: ProbeSubject,
  text: ProbedText,
  places: readonly number[],
): Promise<number> {
  const { model, tokenizer } = subject;
  const maskId = tokenizer.tokenToId("[MASK]");
  if (model instanceof Gpt || !model.heads.masked || maskId === undefined) {
    throw new VitrailError(
      "Cannot compare sentences with this BERT: it guesses no masked tokens; wanted one with its " +
        "pre-training head",
    );
  }
  let sum = 0;
  for (let from = 0; from < places.length; from += BATCH) {
    const chosen = places.slice(from, from + BATCH);
    const masked = chosen.map((place) => ({
      ...text,
      ids: text.ids.map((id, i) => i === place ? maskId : id),
    }));
    const rows = Uint32Array.from(chosen, (place, b) => b * text.ids.length + place);
    const head = model.heads.masked;
    const [{ data: logits }] = await model.device.compute(() => {
      const run = new Run(model.device);
      const hidden = model.hidden(run, subject.input(masked));
      return [head.forward(run, gatherRows(run, hidden, model.device.upload(rows)))];
    });
    const V = logits.length / chosen.length;
    chosen.forEach((place, b) => {
      const row = logits.subarray(b * V, (b + 1) * V);
      sum += row[text.ids[place]] - logSumExp(row);
    });
  }
  return sum;
}

/**
 * Places of the tokens that two sentences have in common, in order (the longest common subsequence),
 * without BERT's first and last.
 */
export function commonPlaces(a: ArrayLike<number>, b: ArrayLike<number>): [number, number][] {
  const width = b.length + 1;
  // longest[i, j]: of what begins at a[i] and b[j].
  const longest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] = a[i] === b[j]
        ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  const places: [number, number][] = [];
  for (let [i, j] = [0, 0]; i < a.length && j < b.length;) {
    if (a[i] === b[j]) places.push([i++, j++]);
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i++;
    else j++;
  }
  return places.filter(([i, j]) => i > 0 && j > 0 && i < a.length - 1 && j < b.length - 1);
}
