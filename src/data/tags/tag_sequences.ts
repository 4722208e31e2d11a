/**
 * Words as the pieces that BERT reads, with the tag of each word at its first piece.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { checkOptions, count } from "../../formats/option_rules.ts";
import { encodePieces, joinPair } from "../../tokenizers/bert_encoder.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { Pieces } from "../../tokenizers/pipeline.ts";
import { padSequences, type Sequence, type SequenceBatch } from "../length_batches.ts";

/** A sentence, or a part of one that is too long for the model. */
export interface TagSequence extends Sequence {
  /** The place of each word's first piece. */
  firsts: Uint32Array;
  /** Number of the sentence. */
  sentence: number;
  /** Number of its first word in the sentence. */
  word: number;
}

/** All sentences as sequences. */
export interface TagSequences {
  /** In order; every word of every sentence is in one of them. */
  sequences: TagSequence[];
  /** Sentences that are longer than the model's context and were divided between words. */
  divided: number;
  /** Words that alone are longer, whose last pieces were left out. */
  cutWords: number;
}

/** Where no tag is asked. */
const IGNORED = -100;

/**
 * Encodes sentences of words. A word of which the tokenizer leaves nothing, such as a control
 * character, is [UNK].
 *
 * @param sentences words of each
 * @param options.contextLength ids of a sequence, at most
 * @throws {VitrailError} if the tokenizer is none of BERT's, or there is no room for a single piece
 */
export function tagSequences(
  sentences: readonly (readonly string[])[],
  options: { tokenizer: Tokenizer; contextLength: number },
): TagSequences {
  const { tokenizer, contextLength } = options;
  checkOptions("Cannot tag", { contextLength }, { contextLength: count });
  const room = contextLength - 2;
  if (room < 1) {
    throw new VitrailError(
      `Cannot tag with a context of ${contextLength} tokens: [CLS] and [SEP] leave no room for a word`,
    );
  }
  const unknown = tokenizer.tokenToId("[UNK]");
  const found: TagSequences = { sequences: [], divided: 0, cutWords: 0 };
  sentences.forEach((words, sentence) => {
    const all = encodePieces(tokenizer, words);
    let at = 0;
    let pieces: Pieces = { ids: [], offsets: [], words: [] };
    let firsts: number[] = [];
    let first = 0;
    const finish = (): void => {
      const { ids } = joinPair(tokenizer, pieces);
      const places = Uint32Array.from(firsts);
      found.sequences.push({ ids, firsts: places, sentence, word: first });
      pieces = { ids: [], offsets: [], words: [] };
      firsts = [];
    };
    words.forEach((_, w) => {
      let ids: number[] = [];
      while (all.words[at] === w) ids.push(all.ids[at++]);
      if (ids.length === 0) ids = unknown === undefined ? [] : [unknown];
      if (ids.length > room) {
        ids = ids.slice(0, room);
        found.cutWords++;
      }
      if (pieces.ids.length + ids.length > room) {
        if (first === 0) found.divided++;
        finish();
        first = w;
      }
      firsts.push(1 + pieces.ids.length); // behind [CLS]
      for (const id of ids) {
        pieces.ids.push(id);
        pieces.offsets.push([0, 0]);
        pieces.words.push(w);
      }
    });
    if (firsts.length > 0) finish();
  });
  return found;
}

/** Sequences side by side, with what is asked. */
export interface TagBatch extends SequenceBatch {
  /** (B·T) number of the tag at each word's first piece, -100 elsewhere. */
  labels: Int32Array;
}

/**
 * Pads sequences and puts the tags at their places.
 *
 * @param tags for each sequence the numbers of its sentence's tags
 */
export function tagBatch(
  sequences: readonly TagSequence[],
  tags: (sentence: number) => ArrayLike<number>,
  sizes: { padId: number; contextLength: number },
): TagBatch {
  const batch = padSequences(sequences, sizes);
  const T = batch.shape[1];
  const labels = new Int32Array(batch.ids.length).fill(IGNORED);
  sequences.forEach(({ firsts, sentence, word }, b) => {
    const numbers = tags(sentence);
    firsts.forEach((place, i) => labels[b * T + place] = numbers[word + i]);
  });
  return { ...batch, labels };
}

/**
 * The numbers of tags, by their places among `labels`.
 *
 * @throws {VitrailError} at a tag that is not among them; the message names it and its sentence
 */
export function tagNumbers(
  sentences: readonly { id: string; tags: readonly string[] }[],
  labels: readonly string[],
): Int32Array[] {
  const numbers = new Map(labels.map((label, i) => [label, i]));
  return sentences.map(({ id, tags }) =>
    Int32Array.from(tags, (tag) => {
      const number = numbers.get(tag);
      if (number !== undefined) return number;
      throw new VitrailError(
        `Cannot use the tag ${JSON.stringify(tag)} of ${id}: the model knows ${labels.join(", ")}`,
      );
    })
  );
}
