/**
 * Letters for random sequences: a tokenizer of one character a token, so that they can be read.
 *
 * @module
 */
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { trainCharacterTokenizer } from "../../tokenizers/train_characters.ts";

/** First and last of two ranges of characters that are seen and told apart. */
const RANGES = [["!", "~"], ["À", "ß"]];

/** 126 characters behind two special tokens: id 0 begins a sequence, id 1 is never drawn. */
export async function letterTokenizer(): Promise<Tokenizer> {
  const letters = RANGES.flatMap(([first, last]) => {
    const [from, to] = [first.codePointAt(0)!, last.codePointAt(0)!];
    return Array.from({ length: to - from + 1 }, (_, i) => String.fromCodePoint(from + i));
  });
  return await trainCharacterTokenizer(letters);
}
