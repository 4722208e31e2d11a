/**
 * The Word Embedding Association Test (Caliskan, Bryson and Narayanan 2017, arXiv:1608.07187):
 *
 *   s(w, A, B) = mean_a cos(w, a) - mean_b cos(w, b)
 *   d = (mean_x s(x, A, B) - mean_y s(y, A, B)) / std of s over all targets
 *
 * with a permutation test over which targets are X and which are Y.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { embeddingHook } from "../probed_model.ts";
import { activationsAt } from "../sae/activations.ts";
import type { ProbeSubject } from "../subject.ts";
import {
  effectSize,
  mean,
  type PermutationOptions,
  type PermutationResult,
  permutationTest,
} from "./permutation.ts";
import type { WordTest } from "./word_sets.ts";

/** What an association test finds. */
export interface Association extends PermutationResult {
  /** What was tested. */
  name: string;
  /** X and Y. */
  targets: readonly [string, string];
  /** A and B. */
  attributes: readonly [string, string];
  /** d: above zero if X goes with A and Y with B. */
  effect: number;
  /** Words that were left out, because the vocabulary does not know them. */
  dropped: string[];
  /** Words of several tokens. */
  pieces: number;
  /** The association of each word that was permuted. */
  scores: { word: string; set: string; score: number }[];
}

/** The embedding of each word: the mean of its tokens'. Nothing of words that the vocabulary lacks. */
export async function wordVectors(
  subject: ProbeSubject,
  words: readonly string[],
): Promise<Map<string, { vector: Float64Array; pieces: number }>> {
  const { model, tokenizer } = subject;
  const unknown = tokenizer.tokenToId("[UNK]");
  const encoded = new Map<string, Uint32Array>();
  for (const word of words) {
    // Within a text a word follows a space, which is part of a GPT's token.
    const ids = tokenizer.encode(subject.family === "gpt2" ? ` ${word}` : word);
    const known = ids.length > 0 && !ids.some((id) => id === unknown);
    if (known) encoded.set(word, ids);
  }
  const found = new Map<string, { vector: Float64Array; pieces: number }>();
  const all = [...new Set([...encoded.values()].flatMap((ids) => [...ids]))];
  if (all.length === 0) return found;
  const [{ data: rows }] = await model.device.compute(() => [
    activationsAt(model, { ids: model.ids(all, [all.length, 1]) }, embeddingHook(model)),
  ]);
  const columns = rows.length / all.length;
  const placeOf = new Map(all.map((id, i) => [id, i * columns]));
  for (const [word, ids] of encoded) {
    const vector = new Float64Array(columns);
    for (const id of ids) {
      const from = placeOf.get(id)!;
      for (let c = 0; c < columns; c++) vector[c] += rows[from + c] / ids.length;
    }
    found.set(word, { vector, pieces: ids.length });
  }
  return found;
}

/**
 * Tests the embeddings of a model.
 *
 * @throws {VitrailError} if the vocabulary knows none of the words of a set
 */
export async function embeddingAssociation(
  subject: ProbeSubject,
  test: WordTest,
  options: PermutationOptions = {},
): Promise<Association> {
  const all = [...test.targets, ...test.attributes].flatMap(({ words }) => [...words]);
  const vectors = await wordVectors(subject, all);
  return associationOf(test, vectors, options);
}

/**
 * The same of any vectors.
 *
 * @throws {VitrailError} if there is no vector for any word of a set
 */
export function associationOf(
  test: WordTest,
  vectors: ReadonlyMap<string, { vector: Float64Array; pieces: number }>,
  options: PermutationOptions = {},
): Association {
  const [[X, Y], [A, B]] = [test.targets, test.attributes].map((sets) =>
    sets.map(({ name, words }) => {
      const known = words.filter((word) => vectors.has(word));
      if (known.length > 0) return known;
      throw new VitrailError(
        `Cannot run ${test.name}: the vocabulary knows none of the ${words.length} words of ${name}`,
      );
    })
  );
  const unit = (word: string): Float64Array => {
    const { vector } = vectors.get(word)!;
    const length = Math.sqrt(vector.reduce((sum, v) => sum + v * v, 0));
    return vector.map((v) => v / length);
  };
  // The mean of cosines with a set is a product with the mean of its directions.
  const [towardsA, towardsB] = [A, B].map((words) => {
    const units = words.map(unit);
    return units[0].map((_, c) => mean(units.map((u) => u[c])));
  });
  const score = (word: string): number =>
    unit(word).reduce((sum, v, c) => sum + v * (towardsA[c] - towardsB[c]), 0);
  const [x, y] = [X, Y].map((words) => words.map(score));
  const words = [...test.targets, ...test.attributes].flatMap((set) => [...set.words]);
  const [first, second] = test.targets.map(({ name }) => name);
  return {
    ...permutationTest(x, y, options),
    name: test.name,
    targets: [first, second],
    attributes: [test.attributes[0].name, test.attributes[1].name],
    effect: effectSize(x, y),
    dropped: [...new Set(words.filter((word) => !vectors.has(word)))],
    pieces: new Set(words.filter((word) => (vectors.get(word)?.pieces ?? 1) > 1)).size,
    scores: [
      ...X.map((word, i) => ({ word, set: first, score: x[i] })),
      ...Y.map((word, i) => ({ word, set: second, score: y[i] })),
    ],
  };
}
