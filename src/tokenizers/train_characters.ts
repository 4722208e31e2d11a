/**
 * The character tokenizer: an id for each character of a text.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { JsonTokenizer, type Tokenizer } from "./json_tokenizer.ts";
import { tokenizerJson } from "./tokenizer_json.ts";
import type { TrainTokenizerOptions } from "./train_bpe.ts";

/** Stands for every character that training did not see, or that found no room. */
const UNKNOWN = "<unk>";

/** By code point: JavaScript's own order puts U+FF5E behind every emoji. */
const order = (a: string, b: string): number => a.codePointAt(0)! - b.codePointAt(0)!;

/**
 * Lists the characters of texts; with a `vocabularySize`, the most frequent ones. A character outside
 * the vocabulary becomes `<unk>`.
 *
 * @throws {VitrailError} if the texts hold no character.
 */
export async function trainCharacterTokenizer(
  texts: Iterable<string> | AsyncIterable<string>,
  options: TrainTokenizerOptions = {},
): Promise<Tokenizer> {
  const { vocabularySize = Infinity, specialTokens = ["<|endoftext|>"] } = options;
  const counts = new Map<string, number>();
  for await (const text of texts) {
    for (const character of text.toWellFormed()) {
      counts.set(character, (counts.get(character) ?? 0) + 1);
    }
  }
  if (counts.size === 0) throw new VitrailError("Cannot train a tokenizer on an empty text");
  const special = [...specialTokens, UNKNOWN];
  const room = vocabularySize - special.length;
  if (room < 1) {
    throw new VitrailError(
      `Cannot train a character tokenizer of ${vocabularySize} tokens: ` +
        `${special.length} special tokens leave no room; choose a larger vocabulary`,
    );
  }
  const characters = [...counts]
    .sort(([a, n], [b, m]) => m - n || order(a, b))
    .slice(0, room)
    .map(([character]) => character)
    .sort(order);
  const vocab = Object.fromEntries([...special, ...characters].map((token, id) => [token, id]));
  return new JsonTokenizer(tokenizerJson({
    model: { vocab, merges: [], unk_token: UNKNOWN },
    preTokenizer: {
      type: "Split",
      pattern: { Regex: "[\\s\\S]" },
      behavior: "Isolated",
      invert: false,
    },
    decoder: { type: "Fuse" },
    specialTokens: special,
  }));
}
