/**
 * What every model of a `tokenizer.json` does: a word becomes ids.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { mapOf, type Rule, whole } from "../../formats/json_rules.ts";

/** Where a model puts what it finds. */
export interface Pieces {
  /** The id of each piece. */
  ids: number[];
  /** Where each begins and ends in the word, in UTF-16 units, if that is wanted. */
  spans?: [begin: number, end: number][];
}

/** Turns words into ids. */
export interface Model {
  /** The id of every token. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Appends the pieces of one word that is not empty. */
  encode(word: string, out: Pieces): void;
}

/** Told of text that no token of a vocabulary stands for. */
export type OnUnknown = (text: string) => void;

/** Ids beyond any vocabulary would take memory for all that lie before them. */
export const LARGEST_ID = 2 ** 24;

/** Tokens and their ids. */
export const vocabularyRule: Rule<Record<string, number>> = mapOf(whole(0, LARGEST_ID), {
  wanted: "an object of tokens and their ids",
});

/** A word that no token stands for, in a vocabulary that has no token for such words. */
export function unknownIn(kind: string, token: string): VitrailError {
  return new VitrailError(
    `Cannot encode with this ${kind}: a word of the text is not in its vocabulary, nor is ${
      JSON.stringify(token)
    }, which should stand for it; wanted a tokenizer that has it`,
  );
}
