/**
 * Sequences of about one length side by side, so that little is padding.
 *
 * @module
 */
import { checkOptions, count, countOrNone, seedRule } from "../formats/option_rules.ts";
import { randomOf, shuffle } from "./random.ts";

/** What BERT reads, one sequence. */
export interface Sequence {
  /** Token ids, special ones included (T). */
  ids: Uint32Array;
  /** Segment ids (T); all zero if absent. */
  segments?: Uint32Array;
}

/** Sequences side by side. */
export interface SequenceBatch {
  /** (B, T). */
  shape: [number, number];
  /** (B·T) ids, padded. */
  ids: Uint32Array;
  /** (B·T) segment ids. */
  segments: Uint32Array;
  /** (B·T) 0 for tokens, -Infinity for padding; absent where there is none. */
  mask?: Float32Array;
}

/** T is a multiple of this, where the context allows: buffers of few sizes serve all batches. */
const MULTIPLE = 8;

/** Pads sequences to one length; `contextLength` is the model's. */
export function padSequences(
  sequences: readonly Sequence[],
  { padId, contextLength }: { padId: number; contextLength: number },
): SequenceBatch {
  checkOptions("Cannot pad sequences", { sequences: sequences.length, padId, contextLength }, {
    sequences: count,
    padId: countOrNone,
    contextLength: count,
  });
  const longest = sequences.reduce((most, { ids }) => Math.max(most, ids.length), 1);
  const rounded = Math.ceil(longest / MULTIPLE) * MULTIPLE;
  const T = Math.max(longest, Math.min(contextLength, rounded));
  const ids = new Uint32Array(sequences.length * T).fill(padId);
  const segments = new Uint32Array(ids.length);
  let mask: Float32Array | undefined;
  sequences.forEach((sequence, b) => {
    const { length } = sequence.ids;
    ids.set(sequence.ids, b * T);
    if (sequence.segments) segments.set(sequence.segments, b * T);
    if (length === T) return;
    mask ??= new Float32Array(ids.length);
    mask.fill(-Infinity, b * T + length, (b + 1) * T);
  });
  return { shape: [sequences.length, T], ids, segments, mask };
}

/** Numbers of sequences in batches of about one length, shortest first: for evaluation. */
export function byLength(lengths: ArrayLike<number>, batch: number): Uint32Array[] {
  checkOptions("Cannot divide sequences into batches", { batch }, { batch: count });
  const order = Uint32Array.from({ length: lengths.length }, (_, i) => i);
  // Sorting is stable: equals stay in the order that they came in.
  order.sort((a, b) => lengths[a] - lengths[b]);
  return Array.from(
    { length: Math.ceil(order.length / batch) },
    (_, i) => order.slice(i * batch, (i + 1) * batch),
  );
}

/** Batches whose sequences are sorted together, and then shuffled. */
const POOL = 32;

/**
 * Draws numbers of sequences for training: each epoch visits every sequence once, in an order of its
 * own, in batches of about one length; the last batch of an epoch may be smaller. Batch n depends on n
 * and the seed alone, so a resumed run needs no state.
 */
export class LengthSampler {
  /** Batches in an epoch. */
  readonly batches: number;
  readonly #lengths: ArrayLike<number>;
  readonly #options: { batch: number; seed: number };
  #epoch: { number: number; batches: Uint32Array[] } | undefined;

  /** Draws from sequences of these lengths. */
  constructor(lengths: ArrayLike<number>, options: { batch: number; seed?: number }) {
    this.#lengths = lengths;
    this.#options = { seed: 0, ...options };
    const values = { sequences: lengths.length, ...this.#options };
    checkOptions("Cannot draw batches", values, { sequences: count, batch: count, seed: seedRule });
    this.batches = Math.ceil(lengths.length / options.batch);
  }

  /** Numbers of the sequences in the n-th batch. */
  at(n: number): Uint32Array {
    checkOptions("Cannot draw a batch", { n }, { n: countOrNone });
    const number = Math.floor(n / this.batches);
    if (this.#epoch?.number !== number) this.#epoch = { number, batches: this.#draw(number) };
    return this.#epoch.batches[n % this.batches];
  }

  #draw(epoch: number): Uint32Array[] {
    const { batch, seed } = this.#options;
    const lengths = this.#lengths;
    const random = randomOf(seed, epoch);
    const order = Uint32Array.from({ length: lengths.length }, (_, i) => i);
    shuffle(order, random);
    const batches: Uint32Array[] = [];
    for (let from = 0; from < order.length; from += POOL * batch) {
      const pool = order.slice(from, from + POOL * batch).sort((a, b) => lengths[a] - lengths[b]);
      for (let at = 0; at < pool.length; at += batch) batches.push(pool.subarray(at, at + batch));
    }
    const places = Uint32Array.from(batches.keys());
    shuffle(places, random);
    return Array.from(places, (place) => batches[place]);
  }
}
