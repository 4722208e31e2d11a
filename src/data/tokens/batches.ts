/**
 * Batches of windows from a long row of tokens.
 *
 * @module
 */
import {
  checkOptions,
  count,
  countOrAll,
  countOrNone,
  seedRule,
} from "../../formats/option_rules.ts";
import { VitrailError } from "../../errors.ts";

/** A row of tokens that can be read anywhere. */
export interface Tokens {
  /** Number of tokens. */
  readonly length: number;
  /** `count` tokens from `offset` on. */
  read(offset: number, count: number): Uint32Array;
}

/** Token ids and what follows each of them, (B, T) each. */
export interface TokenBatch {
  /** Ids. */
  inputs: Uint32Array;
  /** The next ids; -100 where a window is past the end. */
  targets: Int32Array;
}

/** Sizes of a batch. */
export interface BatchSize {
  /** B. */
  batch: number;
  /** T. */
  sequence: number;
}

/** Target that counts for nothing. */
const IGNORED = -100;

/** A permutation of 0..size-1 by its key: a Feistel network, walked until it lands inside. */
function permute(index: number, size: number, key: number): number {
  const half = Math.max(1, Math.ceil(Math.log2(size) / 2));
  const mask = 2 ** half - 1;
  let at = index;
  do {
    let [left, right] = [Math.floor(at / (mask + 1)), at & mask];
    for (let round = 0; round < 4; round++) {
      let h = Math.imul(right + 1, 0x9e3779b1) ^ Math.imul(key + round, 0x85ebca6b);
      h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
      h ^= h >>> 13;
      [left, right] = [right, (left ^ h) & mask];
    }
    at = left * (mask + 1) + right;
  } while (at >= size);
  return at;
}

/**
 * Draws batches for training. Each epoch visits every window once, in an order of its own and from an
 * offset of its own. Batch n depends on n and the seed alone, so a resumed run needs no state.
 */
export class BatchSampler {
  /** Windows in one epoch. */
  readonly windows: number;
  readonly #tokens: Tokens;
  readonly #size: BatchSize;
  readonly #seed: number;

  /**
   * Cuts `tokens` into windows.
   *
   * @throws {VitrailError} if there are not enough tokens for one window.
   */
  constructor(tokens: Tokens, size: BatchSize & { seed?: number }) {
    this.#tokens = tokens;
    this.#size = size;
    this.#seed = size.seed ?? 0;
    const rules = { batch: count, sequence: count, seed: seedRule };
    checkOptions("Cannot draw batches", { ...size, seed: this.#seed }, rules);
    if (tokens.length < size.sequence + 1) {
      throw new VitrailError(
        `Cannot train on ${tokens.length} tokens with sequences of ${size.sequence}: wanted at least ` +
          `${size.sequence + 1}; give more text or a shorter --sequence`,
      );
    }
    // One window is given up, where possible, to leave room for the epoch's offset.
    const whole = Math.floor((tokens.length - 1) / size.sequence);
    this.windows = Math.max(1, whole - 1);
  }

  /** The n-th batch. */
  at(n: number): TokenBatch {
    checkOptions("Cannot draw a batch", { n }, { n: countOrNone });
    const { batch, sequence } = this.#size;
    const inputs = new Uint32Array(batch * sequence);
    const targets = new Int32Array(batch * sequence);
    for (let b = 0; b < batch; b++) {
      const drawn = n * batch + b;
      const epoch = Math.floor(drawn / this.windows);
      const key = Math.imul(this.#seed + 1, 0x01000193) ^ Math.imul(epoch + 1, 0x27d4eb2f);
      const room = this.#tokens.length - 1 - this.windows * sequence;
      const shift = ((Math.imul(key, 0x9e3779b1) >>> 0) / 2 ** 32) * (room + 1);
      const window = permute(drawn % this.windows, this.windows, key);
      const ids = this.#tokens.read(Math.floor(shift) + window * sequence, sequence + 1);
      inputs.set(ids.subarray(0, sequence), b * sequence);
      targets.set(ids.subarray(1), b * sequence);
    }
    return { inputs, targets };
  }
}

/**
 * All of a row of tokens in order, for evaluation: every token after the first is predicted once. The
 * last batch is filled up with targets that count for nothing.
 */
export function* sequentialBatches(
  tokens: Tokens,
  size: BatchSize & { limit?: number },
): Generator<TokenBatch> {
  const { batch, sequence, limit = Infinity } = size;
  const rules = { batch: count, sequence: count, limit: countOrAll };
  checkOptions("Cannot cut a text into batches", { batch, sequence, limit }, rules);
  const last = tokens.length - 1;
  let made = 0;
  for (let at = 0; at < last && made < limit; made++) {
    const rows = Math.min(batch, Math.ceil((last - at) / sequence));
    const inputs = new Uint32Array(rows * sequence);
    const targets = new Int32Array(rows * sequence).fill(IGNORED);
    for (let b = 0; b < rows; b++, at += sequence) {
      const n = Math.min(sequence, last - at);
      const ids = tokens.read(at, n + 1);
      inputs.set(ids.subarray(0, n), b * sequence);
      targets.set(ids.subarray(1), b * sequence);
    }
    yield { inputs, targets };
  }
}
