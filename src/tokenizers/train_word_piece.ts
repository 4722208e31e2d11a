/**
 * Training a WordPiece vocabulary with BERT's words: byte-pair merges underneath, as the Hugging
 * Face library does, since the original trainer was never published.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { checkOptions, countOrNone } from "../formats/option_rules.ts";
import { bertWords, BLANKS } from "./bert_words.ts";
import { JsonTokenizer, type Tokenizer } from "./json_tokenizer.ts";
import { PairCounts, type Word } from "./pair_counts.ts";
import type { TrainTokenizerOptions } from "./train_bpe.ts";
import { BERT_SPECIAL_TOKENS, wordPieceJson } from "./word_piece_json.ts";

/** Options of the WordPiece trainer. */
export interface TrainWordPieceOptions extends TrainTokenizerOptions {
  /** Characters that the vocabulary holds, the most frequent; words with others are `[UNK]`. */
  alphabetLimit?: number;
}

/** Stands before a piece that begins inside of a word. */
const PREFIX = "##";

/**
 * Learns pieces from texts. Pairs merge in order of their count, and among equals the pair with the
 * lower ids first. `specialTokens` come after BERT's own five, which have the ids 0 to 4.
 *
 * @throws {VitrailError} if the texts hold no word, or the vocabulary cannot hold their characters.
 */
export async function trainWordPieceTokenizer(
  texts: Iterable<string> | AsyncIterable<string>,
  options: TrainWordPieceOptions = {},
): Promise<Tokenizer> {
  const specialTokens = [...new Set([...BERT_SPECIAL_TOKENS, ...options.specialTokens ?? []])];
  const pieces = learnPieces(await countBertWords(texts), { ...options, specialTokens });
  return new JsonTokenizer(wordPieceJson(pieces, { specialTokens }));
}

/** Options of `learnPieces`. */
export interface LearnPiecesOptions extends TrainWordPieceOptions {
  /**
   * `##` characters in the order of their ids, which breaks ties. By default that of their code
   * points; the Hugging Face library takes another one at every run.
   */
  continuing?: readonly string[];
}

/** The pieces of a vocabulary in the order of their ids, from how often each word occurs. */
export function learnPieces(
  counts: ReadonlyMap<string, number>,
  options: LearnPiecesOptions = {},
): string[] {
  const { vocabularySize = 4096, specialTokens = [], alphabetLimit = 1000, onProgress } = options;
  checkOptions("Cannot train a tokenizer", { alphabetLimit }, { alphabetLimit: countOrNone });
  if (counts.size === 0) throw new VitrailError("Cannot train a tokenizer on an empty text");
  const pieces = [...specialTokens, ...alphabetOf(counts, alphabetLimit)];
  const idOf = new Map(pieces.map((piece, id) => [piece, id]));
  const spelt = [...counts].map(([word, count]) => {
    const letters = [...word].flatMap((letter, i) =>
      !idOf.has(letter) ? [] : i === 0 ? letter : PREFIX + letter
    );
    return { count, letters };
  });
  const inside = new Set(spelt.flatMap(({ letters }) => letters.filter((l) => !idOf.has(l))));
  for (const letter of [...options.continuing ?? [], ...inOrder(inside)]) {
    if (!idOf.has(letter)) idOf.set(letter, pieces.push(letter) - 1);
  }
  if (!Number.isInteger(vocabularySize) || vocabularySize < pieces.length) {
    throw new VitrailError(
      `Cannot train a WordPiece tokenizer of ${vocabularySize} pieces: ${specialTokens.length} ` +
        `special tokens and the characters need at least ${pieces.length}; choose a larger ` +
        "vocabulary or a smaller alphabet",
    );
  }
  const words: Word[] = spelt.map(({ letters, count }) => ({
    symbols: letters.map((letter) => idOf.get(letter)!),
    count,
  }));
  const pairs = new PairCounts(words);
  while (pieces.length < vocabularySize) {
    const best = pairs.best();
    if (!best) break;
    const [left, right] = best;
    const merged = pieces[left] + pieces[right].slice(PREFIX.length);
    const id = idOf.get(merged) ?? pieces.push(merged) - 1;
    idOf.set(merged, id);
    pairs.merge(left, right, id);
    onProgress?.(pieces.length, vocabularySize);
  }
  return pieces;
}

/** How often each of BERT's words occurs in texts. */
export async function countBertWords(
  texts: Iterable<string> | AsyncIterable<string>,
): Promise<Map<string, number>> {
  const stretches = new Map<string, number>();
  for await (const text of texts) {
    for (const stretch of text.toWellFormed().split(BLANKS)) {
      if (stretch !== "") stretches.set(stretch, (stretches.get(stretch) ?? 0) + 1);
    }
  }
  const words = new Map<string, number>();
  for (const [stretch, count] of stretches) {
    for (const word of bertWords(stretch)) {
      words.set(word, (words.get(word) ?? 0) + count);
    }
  }
  return words;
}

/** The most frequent characters, in order of their code points. */
function alphabetOf(words: ReadonlyMap<string, number>, limit: number): string[] {
  const counts = new Map<string, number>();
  for (const [word, count] of words) {
    for (const letter of word) counts.set(letter, (counts.get(letter) ?? 0) + count);
  }
  const frequent = [...counts].sort(([a, n], [b, m]) => m - n || byCodePoint(a, b));
  return inOrder(frequent.slice(0, limit).map(([letter]) => letter));
}

/** JavaScript's own order puts U+FF5E behind every emoji. */
const byCodePoint = (a: string, b: string): number => a.codePointAt(0)! - b.codePointAt(0)!;

/** Characters, or pieces of one character each, in order of their code points. */
const inOrder = (letters: Iterable<string>): string[] =>
  [...letters].sort((a, b) =>
    byCodePoint(
      a.slice(a.length > 2 ? PREFIX.length : 0),
      b.slice(b.length > 2 ? PREFIX.length : 0),
    )
  );
