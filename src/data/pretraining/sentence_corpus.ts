/**
 * Documents as rows of sentences, and sentences as rows of token ids.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Document } from "../sources/documents.ts";
import { type SentenceRule, splitSentences } from "../sources/sentences.ts";
import { type Side, splitDocuments } from "../split.ts";

/** Tokens with the places where sentences and documents begin. */
export interface SentenceCorpus {
  /** All token ids in order, none of them special. */
  ids: Uint32Array;
  /** Where in `ids` each sentence begins, and the end of the last: one more than sentences. */
  sentences: Uint32Array;
  /** Where in `sentences` each document begins, and the end of the last. */
  documents: Uint32Array;
}

/** Both sides of a text: no document is on both. */
export type SentenceCorpora = Record<Side, SentenceCorpus>;

/** How to make them. */
export interface SentenceCorpusOptions {
  /** Ids of a sentence, without special tokens. */
  encode: (sentence: string) => ArrayLike<number>;
  /** Where sentences end. */
  rule: SentenceRule;
  /** Part of the documents that is held out; default 0.1. */
  validationFraction?: number;
  /** Told after each document. */
  onProgress?: (progress: { bytes: number; tokens: number }) => void;
}

/** A row of numbers that grows. */
class Growing {
  length = 0;
  #values = new Uint32Array(1 << 10);

  push(values: ArrayLike<number>): void {
    const length = this.length + values.length;
    if (length > this.#values.length) {
      const larger = new Uint32Array(2 * length);
      larger.set(this.#values.subarray(0, this.length));
      this.#values = larger;
    }
    this.#values.set(values, this.length);
    this.length = length;
  }

  done(): Uint32Array {
    return this.#values.slice(0, this.length);
  }
}

/**
 * Splits documents into sides and sentences, and encodes these. Sentences without a token are left
 * out, and documents without a sentence.
 *
 * @throws {VitrailError} if nothing is left to train on
 */
export async function encodeSentences(
  documents: AsyncIterable<Document>,
  options: SentenceCorpusOptions,
): Promise<SentenceCorpora> {
  const { encode, rule, validationFraction = 0.1, onProgress } = options;
  const empty = () => ({ ids: new Growing(), sentences: new Growing(), documents: new Growing() });
  const sides = { train: empty(), validation: empty() };
  const utf8 = new TextEncoder();
  const progress = { bytes: 0, tokens: 0 };
  for await (const { side, document } of splitDocuments(documents, validationFraction)) {
    const { ids, sentences, documents } = sides[side];
    const begin = sentences.length;
    for (const sentence of splitSentences(document.text, rule)) {
      const fresh = encode(sentence);
      if (fresh.length === 0) continue;
      sentences.push([ids.length]);
      ids.push(fresh);
      progress.tokens += fresh.length;
    }
    if (sentences.length > begin) documents.push([begin]);
    progress.bytes += utf8.encode(document.text).length;
    onProgress?.(progress);
  }
  const { train, validation } = sides;
  if (train.ids.length === 0) {
    throw new VitrailError(
      "Cannot train on this text: it has no sentence to train on; give at least one text with words",
    );
  }
  for (const { ids, sentences, documents } of [train, validation]) {
    documents.push([sentences.length]);
    sentences.push([ids.length]);
  }
  const done = ({ ids, sentences, documents }: typeof train): SentenceCorpus => ({
    ids: ids.done(),
    sentences: sentences.done(),
    documents: documents.done(),
  });
  return { train: done(train), validation: done(validation) };
}
