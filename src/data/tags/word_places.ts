/**
 * Words as the tokens of a model of either family, and the place where each word is looked at.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { checkOptions, count } from "../../formats/option_rules.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { Sequence } from "../length_batches.ts";
import { tagSequences } from "./tag_sequences.ts";

/** A sentence, or a part of one that is too long for the model. */
export interface WordSequence extends Sequence {
  /** A place for each of its words. */
  places: Uint32Array;
  /** Number of the sentence. */
  sentence: number;
  /** Number of its first word in the sentence. */
  word: number;
}

/** How sentences are read. */
export interface WordPlaceOptions {
  /** The model's. */
  tokenizer: Tokenizer;
  /** Which model reads them. */
  family: "bert" | "gpt2";
  /** Ids of a sequence, at most. */
  contextLength: number;
  /**
   * The token of each word that is looked at; default `first`. A causal model has not seen the rest of
   * the word there: at its `last` it has.
   */
  piece?: "first" | "last";
}

/**
 * Encodes sentences of words: for BERT between `[CLS]` and `[SEP]`, for a GPT with a blank between words.
 * A sentence that is too long is divided between words, and of a word that alone is longer the end is
 * left out.
 *
 * @throws {VitrailError} if the tokenizer does not belong to the family, or leaves nothing of a word
 */
export function wordSequences(
  sentences: readonly (readonly string[])[],
  options: WordPlaceOptions,
): WordSequence[] {
  const { family, piece = "first" } = options;
  checkOptions("Cannot find words", options, { contextLength: count });
  if (family === "gpt2") return causalSequences(sentences, options);
  return tagSequences(sentences, options).sequences.map(({ ids, firsts, sentence, word }) => {
    // A word ends before the next begins, the last one before [SEP].
    const lasts = firsts.map((_, i) => (firsts[i + 1] ?? ids.length - 1) - 1);
    return { ids, places: piece === "first" ? firsts : lasts, sentence, word };
  });
}

function causalSequences(
  sentences: readonly (readonly string[])[],
  { tokenizer, contextLength, piece = "first" }: WordPlaceOptions,
): WordSequence[] {
  const found: WordSequence[] = [];
  sentences.forEach((words, sentence) => {
    let ids: number[] = [];
    let places: number[] = [];
    let first = 0;
    const finish = (): void => {
      if (places.length === 0) return;
      found.push({
        ids: Uint32Array.from(ids),
        places: Uint32Array.from(places),
        sentence,
        word: first,
      });
      [ids, places] = [[], []];
    };
    words.forEach((text, word) => {
      // Byte-level tokenizers cut a text before blanks, so each word can be encoded by itself.
      const pieces = tokenizer.encode(word === 0 ? text : ` ${text}`).subarray(0, contextLength);
      if (pieces.length === 0) {
        throw new VitrailError(
          `Cannot look at word ${word + 1} of sentence ${sentence + 1}, ${
            JSON.stringify(text)
          }: the ` +
            "tokenizer leaves nothing of it",
        );
      }
      if (ids.length + pieces.length > contextLength) {
        finish();
        first = word;
      }
      places.push(ids.length + (piece === "first" ? 0 : pieces.length - 1));
      ids.push(...pieces);
    });
    finish();
  });
  return found;
}
