/**
 * How often each pair of neighbours occurs in the words of a text, kept up to date as pairs merge:
 * what byte-pair encoding and WordPiece both learn from.
 *
 * @module
 */

/** A word as it is cut so far, and how often it occurs. */
export interface Word {
  symbols: number[];
  count: number;
}

/** A pair of ids as one number: 2^21 is beyond any vocabulary. */
const BASE = 2 ** 21;

/** The pairs, and the most frequent first: among equals the pair with the lower ids. */
export class PairCounts {
  readonly #words: Word[];
  readonly #counts = new Map<number, number>();
  readonly #where = new Map<number, Set<number>>();
  #heap: { key: number; count: number }[] = [];

  /** Counts the pairs of these words, which `merge` then changes. */
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
