/**
 * Batches for pre-training BERT: sequences of like length together, masked anew each time.
 *
 * @module
 */
import { checkOptions, count, countOrNone } from "../../formats/option_rules.ts";
import { Masking, type MaskOptions, type MaskVocabulary, nothingAsked } from "./masking.ts";
import { randomOf, shuffle } from "../random.ts";
import type { SentenceCorpus } from "./sentence_corpus.ts";
import { drawPairs, type PairOptions, type PairPlan } from "./sentence_pairs.ts";

/** What a BERT reads in pre-training, and what it is asked. */
export interface PretrainingBatch {
  /** (B, T). */
  shape: [number, number];
  /** (B·T) token ids. */
  ids: Uint32Array;
  /** (B·T) 0 for the first segment, 1 for the second. */
  segments: Uint32Array;
  /** (B·T) 0 for tokens, -Infinity for padding; absent where there is none. */
  mask?: Float32Array;
  /** (B·T) the token at each place that is asked for, else -100. */
  tokens: Int32Array;
  /** (B) 0 where the second segment follows the first, else 1; absent without pairs. */
  follows?: Int32Array;
}

/** How batches are made. */
export interface PretrainingOptions extends MaskOptions, Omit<PairOptions, "epoch"> {
  /** Sequences of full length in a batch; of shorter ones, as many as take the same room. */
  batch: number;
}

/** What an epoch is made of. */
export interface EpochFigures {
  /** Sequences. */
  sequences: number;
  /** Batches. */
  batches: number;
  /** Tokens read, special ones included. */
  tokens: number;
  /** Part of all places that are padding. */
  padding: number;
  /** Tokens cut off because a sequence had no room for them. */
  cut: number;
  /** Documents of a single sentence, which begin no pair. */
  lone: number;
}

/** Keys of this file's random numbers. */
const [ORDER, MASKS] = [0x0bde, 0x3a5c];
/** Lengths are rounded up to a multiple of this: fewer shapes, of which buffers are used again. */
const GRAIN = 4;

/** An epoch's sequences in groups of like length. */
interface Epoch {
  number: number;
  plan: PairPlan;
  /** (count) places in the plan, a batch after another. */
  order: Uint32Array;
  /** Begin of each batch in `order`, and the end of the last. */
  begins: Uint32Array;
}

/**
 * Draws batches of about equally many tokens, so that a token weighs the same in a short sequence as
 * in a long one. Each epoch pairs and orders the text anew, and each visit masks other tokens; batch
 * n depends on n and the seed alone, so a resumed run needs no state.
 */
export class PretrainingSampler {
  readonly #corpus: SentenceCorpus;
  readonly #vocabulary: MaskVocabulary;
  readonly #options: PretrainingOptions;
  readonly #masking: Masking;
  readonly #pairs: boolean;
  readonly #seed: number;
  #epoch: Epoch;
  /** Number of the first batch of each epoch that was drawn so far. */
  readonly #firsts = [0];

  /**
   * Draws from one side of a text.
   *
   * @throws {VitrailError} if the text gives no sequence, see {@linkcode drawPairs}
   */
  constructor(corpus: SentenceCorpus, vocabulary: MaskVocabulary, options: PretrainingOptions) {
    checkOptions("Cannot draw batches", options, { batch: count });
    this.#corpus = corpus;
    this.#vocabulary = vocabulary;
    this.#options = options;
    this.#masking = new Masking(vocabulary, options);
    this.#pairs = options.pairs ?? true;
    this.#seed = options.seed ?? 0;
    this.#epoch = this.#draw(0);
  }

  /** The n-th batch. */
  at(n: number): PretrainingBatch {
    checkOptions("Cannot draw a batch", { n }, { n: countOrNone });
    const { plan, order, begins, first } = this.#epochOf(n);
    const rows = order.subarray(begins[n - first], begins[n - first + 1]);
    const special = this.#special;
    const lengths = Array.from(rows, (row) => special + textLength(plan, row));
    const T = this.#time(plan, rows[0]); // the longest is first
    const shape: [number, number] = [rows.length, T];
    const size = rows.length * T;
    const ids = new Uint32Array(size).fill(this.#vocabulary.padId);
    const segments = new Uint32Array(size);
    const tokens = nothingAsked(size);
    const random = randomOf(this.#seed, MASKS, n);
    rows.forEach((row, b) => {
      const end = b * T + lengths[b];
      this.#write(plan, row, { ids: ids.subarray(b * T, end), segments: segments.subarray(b * T) });
      this.#masking.apply(ids.subarray(b * T, end), tokens.subarray(b * T, end), random);
    });
    const batch: PretrainingBatch = { shape, ids, segments, tokens };
    if (lengths.some((length) => length < T)) {
      batch.mask = Float32Array.from(
        { length: size },
        (_, i) => i % T < lengths[Math.floor(i / T)] ? 0 : -Infinity,
      );
    }
    if (this.#pairs) batch.follows = Int32Array.from(rows, (row) => plan.labels[row]);
    return batch;
  }

  /** The first batches of the first epoch, in order: for evaluation. */
  *first(limit = Infinity): Generator<PretrainingBatch> {
    const { batches } = this.figures();
    for (let n = 0; n < Math.min(limit, batches); n++) yield this.at(n);
  }

  /** What the first epoch is made of; others differ by a little. */
  figures(): EpochFigures {
    const { plan, order, begins } = this.#epochOf(0);
    let [tokens, places] = [0, 0];
    for (let n = 0; n + 1 < begins.length; n++) {
      const rows = order.subarray(begins[n], begins[n + 1]);
      for (const row of rows) tokens += this.#special + textLength(plan, row);
      places += rows.length * this.#time(plan, rows[0]);
    }
    return {
      sequences: plan.count,
      batches: begins.length - 1,
      tokens,
      padding: 1 - tokens / places,
      cut: plan.cut,
      lone: plan.lone,
    };
  }

  /** T of a batch whose longest sequence this is. */
  #time(plan: PairPlan, row: number): number {
    const rounded = GRAIN * Math.ceil((this.#special + textLength(plan, row)) / GRAIN);
    return Math.min(this.#options.sequence, rounded);
  }

  get #special(): number {
    return this.#pairs ? 3 : 2;
  }

  /** `[CLS] first [SEP] second [SEP]`. */
  #write(
    { ranges }: PairPlan,
    row: number,
    into: { ids: Uint32Array; segments: Uint32Array },
  ): void {
    const { classId, separatorId } = this.#vocabulary;
    const text = this.#corpus.ids;
    const first = text.subarray(ranges[4 * row], ranges[4 * row + 1]);
    into.ids[0] = classId;
    into.ids.set(first, 1);
    into.ids[1 + first.length] = separatorId;
    if (!this.#pairs) return;
    const second = text.subarray(ranges[4 * row + 2], ranges[4 * row + 3]);
    const begin = 2 + first.length;
    into.ids.set(second, begin);
    into.ids[begin + second.length] = separatorId;
    into.segments.fill(1, begin, begin + second.length + 1);
  }

  /** The epoch of a batch, and the number of its first one. */
  #epochOf(n: number): Epoch & { first: number } {
    const firsts = this.#firsts;
    while (n >= firsts.at(-1)!) {
      const { begins } = this.#hold(firsts.length - 1);
      firsts.push(firsts.at(-1)! + begins.length - 1);
    }
    let number = firsts.length - 2;
    while (firsts[number] > n) number--;
    return { ...this.#hold(number), first: firsts[number] };
  }

  #hold(number: number): Epoch {
    if (this.#epoch.number !== number) this.#epoch = this.#draw(number);
    return this.#epoch;
  }

  #draw(number: number): Epoch {
    const { batch } = this.#options;
    const plan = drawPairs(this.#corpus, { ...this.#options, epoch: number });
    const random = randomOf(this.#seed, ORDER, number);
    const mixed = Uint32Array.from({ length: plan.count }, (_, i) => i);
    shuffle(mixed, random);
    // Sorting is stable: sequences of one length stay mixed.
    const sorted = mixed.sort((a, b) => textLength(plan, b) - textLength(plan, a));
    const places = batch * this.#options.sequence;
    const ends: number[] = [];
    for (let from = 0; from < sorted.length; from = ends.at(-1)!) {
      const rows = Math.floor(places / this.#time(plan, sorted[from]));
      ends.push(Math.min(sorted.length, from + rows));
    }
    const groups = Uint32Array.from(ends.keys());
    shuffle(groups, random);
    const order = new Uint32Array(plan.count);
    const begins = new Uint32Array(groups.length + 1);
    groups.forEach((group, place) => {
      const rows = sorted.subarray(ends[group - 1] ?? 0, ends[group]);
      order.set(rows, begins[place]);
      begins[place + 1] = begins[place] + rows.length;
    });
    return { number, plan, order, begins };
  }
}

/** Tokens of a sequence, special ones not counted. */
function textLength({ ranges }: PairPlan, row: number): number {
  const at = 4 * row;
  return ranges[at + 1] - ranges[at] + ranges[at + 3] - ranges[at + 2];
}
