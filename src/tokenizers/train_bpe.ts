/**
 * Training a byte-level BPE (Sennrich et al. 2016, arXiv:1508.07909, algorithm 1; Radford et al. 2019).
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { BYTE_TO_CHARACTER, GPT2_WORDS } from "./byte_alphabet.ts";
import { byteLevelJson, JsonTokenizer, type Tokenizer } from "./tokenizer.ts";

/** Options of both trainers. */
export interface TrainTokenizerOptions {
  /** Ids in all, special tokens included. */
  vocabularySize?: number;
  /** Tokens that no text merges into; the first end up with the lowest ids. */
  specialTokens?: string[];
  /** Told the number of tokens learned so far. */
  onProgress?: (done: number, total: number) => void;
}

interface Word {
  symbols: number[];
  count: number;
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

/** A pair of ids as one number: 2^21 is beyond any vocabulary. */
const BASE = 2 ** 21;

/** How often each pair of neighbours occurs, kept up to date as words merge. */
class PairCounts {
  readonly #words: Word[];
  readonly #counts = new Map<number, number>();
  readonly #where = new Map<number, Set<number>>();
  #heap: { key: number; count: number }[] = [];

  constructor(words: Word[]) {
    this.#words = words;
    words.forEach((word, at) => this.#addWord(word, at, 1));
    for (const [key, count] of this.#counts) this.#push({ key, count });
  }

  /** The most frequent pair; none once no pair occurs. */
  best(): [number, number] | undefined {
    while (this.#heap.length > 0) {
      const top = this.#pop();
      const count = this.#counts.get(top.key) ?? 0;
      if (count === top.count && count > 0) return [Math.floor(top.key / BASE), top.key % BASE];
      // The entry is out of date: the pair goes back with what it counts now.
      if (count > 0) this.#push({ key: top.key, count });
    }
    return undefined;
  }

  /** Replaces the pair by `id` in every word that holds it. */
  merge(left: number, right: number, id: number): void {
    const key = left * BASE + right;
    const changed = new Set<number>();
    for (const at of this.#where.get(key) ?? []) {
      const word = this.#words[at];
      this.#addWord(word, at, -1, changed);
      const next: number[] = [];
      for (let i = 0; i < word.symbols.length; i++) {
        if (word.symbols[i] === left && word.symbols[i + 1] === right) {
          next.push(id);
          i++;
        } else {
          next.push(word.symbols[i]);
        }
      }
      word.symbols = next;
      this.#addWord(word, at, 1, changed);
    }
    this.#where.delete(key);
    this.#counts.delete(key);
    for (const pair of changed) {
      const count = this.#counts.get(pair) ?? 0;
      if (count > 0) this.#push({ key: pair, count });
    }
  }

  #addWord(word: Word, at: number, sign: 1 | -1, changed?: Set<number>): void {
    for (let i = 0; i + 1 < word.symbols.length; i++) {
      const key = word.symbols[i] * BASE + word.symbols[i + 1];
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + sign * word.count);
      changed?.add(key);
      if (sign === 1) {
        const where = this.#where.get(key);
        if (where) where.add(at);
        else this.#where.set(key, new Set([at]));
      }
    }
  }

  #before(a: { key: number; count: number }, b: { key: number; count: number }): boolean {
    return a.count > b.count || (a.count === b.count && a.key < b.key);
  }

  #push(item: { key: number; count: number }): void {
    const heap = this.#heap;
    let i = heap.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(item, heap[parent])) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = item;
  }

  #pop(): { key: number; count: number } {
    const heap = this.#heap;
    const top = heap[0];
    const item = heap.pop()!;
    if (heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#before(heap[child + 1], heap[child])) child++;
      if (!this.#before(heap[child], item)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = item;
    return top;
  }
}
