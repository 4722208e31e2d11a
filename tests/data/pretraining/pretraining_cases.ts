/**
 * Texts and a vocabulary for the tests of BERT's pre-training data.
 *
 * @module
 */
import type { MaskVocabulary } from "../../../src/data/pretraining/masking.ts";
import { randomOf } from "../../../src/data/random.ts";
import type { SentenceCorpus } from "../../../src/data/pretraining/sentence_corpus.ts";

/** Ids from here on are words, those before are special. */
export const FIRST_WORD = 5;

/** A vocabulary of 197: five special tokens, and every third of the others goes on with a word. */
export const VOCABULARY: MaskVocabulary = {
  size: 197,
  padId: 0,
  classId: 2,
  separatorId: 3,
  maskId: 4,
  specialIds: [0, 1, 2, 3, 4],
  continues: Uint8Array.from({ length: 197 }, (_, id) => id >= FIRST_WORD && id % 3 === 0 ? 1 : 0),
};

/**
 * Documents of random sentences of 1 to 29 tokens.
 *
 * @param sizes sentences of each document
 */
export function makeCorpus(sizes: readonly number[], seed = 197): SentenceCorpus {
  const random = randomOf(seed);
  const ids: number[] = [];
  const [sentences, documents]: number[][] = [[], []];
  for (const size of sizes) {
    documents.push(sentences.length);
    for (let s = 0; s < size; s++) {
      sentences.push(ids.length);
      const length = 1 + Math.floor(29 * random());
      for (let i = 0; i < length; i++) {
        ids.push(FIRST_WORD + Math.floor((VOCABULARY.size - FIRST_WORD) * random()));
      }
    }
  }
  documents.push(sentences.length);
  sentences.push(ids.length);
  return {
    ids: Uint32Array.from(ids),
    sentences: Uint32Array.from(sentences),
    documents: Uint32Array.from(documents),
  };
}

/** Asserts nothing itself: how many standard deviations a count is from what a rate predicts. */
export function deviations(count: number, of: number, rate: number): number {
  return (count - of * rate) / Math.sqrt(of * rate * (1 - rate));
}
