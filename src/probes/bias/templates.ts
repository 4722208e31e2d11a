/**
 * Association in masked sentences (Kurita et al. 2019, arXiv:1906.07337, section 3):
 *
 *   association(target, attribute) = ln P([MASK] = target | attribute) / P([MASK] = target)
 *
 * the second with the attribute masked as well, which takes out that a word is frequent at all. An
 * attribute's score is the mean association of the targets X less that of Y; whether the scores of A
 * and B differ, a permutation test tells.
 *
 * @module
 */
import { Run } from "../../autograd/run.ts";
import { gatherRows } from "../../autograd/ops/gather_rows.ts";
import { VitrailError } from "../../errors.ts";
import { Gpt } from "../../models/gpt.ts";
import type { ProbedText, ProbeSubject } from "../subject.ts";
import { effectSize, mean, type PermutationOptions, permutationTest } from "./permutation.ts";
import type { Association } from "./weat.ts";
import type { TemplateTest } from "./word_sets.ts";

/** Sentences at once. */
const BATCH = 32;

/**
 * Tests what a BERT expects in sentences. Targets of several tokens are left out, and attributes that
 * the vocabulary does not know.
 *
 * @throws {VitrailError} if the model guesses no masked tokens, or nothing is left of a set
 */
export async function templateAssociation(
  subject: ProbeSubject,
  test: TemplateTest,
  options: PermutationOptions = {},
): Promise<Association> {
  const { model, tokenizer } = subject;
  if (model instanceof Gpt || !model.heads.masked) {
    throw new VitrailError(
      `Cannot run ${test.name}: the model guesses no masked tokens; wanted a BERT with its ` +
        "pre-training head",
    );
  }
  const unknown = tokenizer.tokenToId("[UNK]");
  const dropped: string[] = [];
  const known = (sets: TemplateTest["targets"], fits: (ids: Uint32Array) => boolean) =>
    sets.map(({ name, words }) => {
      const left = words.filter((word) => {
        const ids = tokenizer.encode(word);
        const kept = ids.length > 0 && !ids.some((id) => id === unknown) && fits(ids);
        if (!kept) dropped.push(word);
        return kept;
      });
      if (left.length > 0) return left;
      throw new VitrailError(
        `Cannot run ${test.name}: of the ${words.length} words of ${name} none can be asked for`,
      );
    });
  const [X, Y] = known(test.targets, ({ length }) => length === 1);
  const [A, B] = known(test.attributes, () => true);
  const attributes = [...A, ...B];
  // A pair of sentences for each: with the attribute, and with masks in its place.
  const sentences = attributes.flatMap((attribute) =>
    test.templates.flatMap((template) => {
      const masks = Array.from(tokenizer.encode(attribute), () => "[MASK]").join(" ");
      return [attribute, masks].map((words) => {
        const text = template.replace("[TARGET]", "[MASK]").replace("[ATTRIBUTE]", words);
        return { text, place: template.indexOf("[TARGET]") < template.indexOf("[ATTRIBUTE]") };
      });
    })
  );
  const targets = [...X, ...Y].map((word) => tokenizer.encode(word)[0]);
  const logs = await logProbabilities(subject, sentences, targets);
  const perAttribute = 2 * test.templates.length;
  const scores = attributes.map((_, a) =>
    mean(test.templates.map((_, t) => {
      const at = a * perAttribute + 2 * t;
      const associations = targets.map((_, i) => logs[at][i] - logs[at + 1][i]);
      return mean(associations.slice(0, X.length)) - mean(associations.slice(X.length));
    }))
  );
  const [a, b] = [scores.slice(0, A.length), scores.slice(A.length)];
  return {
    ...permutationTest(a, b, options),
    name: test.name,
    targets: [test.targets[0].name, test.targets[1].name],
    attributes: [test.attributes[0].name, test.attributes[1].name],
    effect: effectSize(a, b),
    dropped,
    pieces: attributes.filter((word) => tokenizer.encode(word).length > 1).length,
    scores: attributes.map((word, i) => ({
      word,
      set: test.attributes[i < A.length ? 0 : 1].name,
      score: scores[i],
    })),
  };
}

/** ln P of each target at the first mask of each sentence, or at its last. */
async function logProbabilities(
  subject: ProbeSubject,
  sentences: readonly { text: string; place: boolean }[],
  targets: readonly number[],
): Promise<number[][]> {
  const { model, tokenizer } = subject;
  if (model instanceof Gpt) return [];
  const maskId = tokenizer.tokenToId("[MASK]");
  const found: number[][] = [];
  for (let from = 0; from < sentences.length; from += BATCH) {
    const chosen = sentences.slice(from, from + BATCH);
    const texts: ProbedText[] = chosen.map(({ text }) => subject.encode(text));
    const [{ data: logits }] = await model.device.compute(() => {
      const input = subject.input(texts);
      const time = input.ids.shape[1];
      const rows = texts.map(({ ids }, b) => {
        const masks = Array.from(ids.keys()).filter((i) => ids[i] === maskId);
        return b * time + (chosen[b].place ? masks[0] : masks.at(-1)!);
      });
      const run = new Run(model.device);
      const hidden = model.hidden(run, input);
      const asked = gatherRows(run, hidden, model.device.upload(Uint32Array.from(rows)));
      return [model.heads.masked!.forward(run, asked)];
    });
    const V = logits.length / chosen.length;
    chosen.forEach((_, b) => {
      const own = logits.subarray(b * V, (b + 1) * V);
      const normalizer = logSumExp(own);
      found.push(targets.map((id) => own[id] - normalizer));
    });
  }
  return found;
}

/** ln Σ exp, in float64. */
export function logSumExp(values: ArrayLike<number>): number {
  let most = -Infinity;
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i]);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i] - most);
  return most + Math.log(sum);
}
