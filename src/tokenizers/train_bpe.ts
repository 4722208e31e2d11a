/**
 * Training a byte-level BPE (Sennrich et al. 2016, arXiv:1508.07909, algorithm 1; Radford et al. 2019).
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { BYTE_TO_CHARACTER, GPT2_WORDS } from "./byte_alphabet.ts";
import { PairCounts, type Word } from "./pair_counts.ts";
import { JsonTokenizer, type Tokenizer } from "./json_tokenizer.ts";
import { byteLevelJson } from "./tokenizer_json.ts";

/** Options of both trainers. */
export interface TrainTokenizerOptions {
  /** Ids in all, special tokens included. */
  vocabularySize?: number;
  /** Tokens that no text merges into; the first end up with the lowest ids. */
  specialTokens?: string[];
  /** Told the number of tokens learned so far. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Learns merges from texts. Pairs merge in order of their count, and among equals the pair with the
 * lower ids first, as in the Python library.
 *
 * @throws {VitrailError} if the vocabulary cannot hold the 256 bytes and the special tokens.
 */
export async function trainBytePairTokenizer(
  texts: Iterable<string> | AsyncIterable<string>,
  options: TrainTokenizerOptions = {},
): Promise<Tokenizer> {
  const { vocabularySize = 4096, specialTokens = ["<|endoftext|>"], onProgress } = options;
  const least = 256 + specialTokens.length;
  if (!Number.isInteger(vocabularySize) || vocabularySize < least) {
    throw new VitrailError(
      `Cannot train a byte-level tokenizer of ${vocabularySize} tokens: 256 bytes and ` +
        `${specialTokens.length} special tokens need at least ${least}; ` +
        "choose a larger vocabulary or the character tokenizer",
    );
  }
  const tokens = [...specialTokens, ...[...BYTE_TO_CHARACTER].sort()];
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const words = await countWords(texts, idOf);
  const merges: string[] = [];
  const pairs = new PairCounts(words);
  while (tokens.length < vocabularySize) {
    const best = pairs.best();
    if (!best) break;
    const [left, right] = best;
    merges.push(`${tokens[left]} ${tokens[right]}`);
    const merged = tokens[left] + tokens[right];
    const id = idOf.get(merged) ?? tokens.push(merged) - 1;
    idOf.set(merged, id);
    pairs.merge(left, right, id);
    onProgress?.(tokens.length, vocabularySize);
  }
  const vocabulary = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return new JsonTokenizer(byteLevelJson({ vocabulary, merges, specialTokens }));
}

async function countWords(
  texts: Iterable<string> | AsyncIterable<string>,
  idOf: Map<string, number>,
): Promise<Word[]> {
  const counts = new Map<string, number>();
  for await (const text of texts) {
    for (const [word] of text.matchAll(GPT2_WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const encoder = new TextEncoder();
  return [...counts].map(([word, count]) => ({
    symbols: Array.from(encoder.encode(word), (byte) => idOf.get(BYTE_TO_CHARACTER[byte])!),
    count,
  }));
}
