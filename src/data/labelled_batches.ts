/**
 * Labelled sequences in padded batches of about one length.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { LabelKind } from "../formats/huggingface_bert.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { randomOf, shuffle } from "./random.ts";

/** How a text becomes a sequence. */
export interface SequenceFormat {
  /** Ids before each text, such as `[CLS]`. */
  before: readonly number[];
  /** Ids behind each text, such as `[SEP]`. */
  after: readonly number[];
  /** Fills up short sequences. */
  padId: number;
  /** Most ids of a sequence; of a longer text the end is cut off. */
  limit: number;
}

/** Texts as ids. */
export interface EncodedTexts {
  /** Ids of each text. */
  sequences: Uint32Array[];
  /** How many texts lost their end to the limit. */
  truncated: number;
}

/** Sequences side by side. */
export interface PaddedBatch {
  /** (B·T) ids, padded. */
  ids: Uint32Array;
  /** Ids of each sequence that are no padding (B). */
  lengths: Uint32Array;
  /** T. */
  time: number;
}

/** Sequences with what is asked about them. */
export interface LabelledBatch extends PaddedBatch {
  /** One class for each sequence (B); or for each label 0, 1 or a number (B·labels). */
  targets: Int32Array | Float32Array;
}

/** Tokens of one word, at most about. */
const LONGEST_WORD = 128;

/** Encodes texts and says how many were too long. */
export function encodeTexts(
  texts: Iterable<string>,
  tokenizer: Pick<Tokenizer, "encode">,
  { before, after, limit }: SequenceFormat,
): EncodedTexts {
  const room = limit - before.length - after.length;
  if (room < 1) {
    throw new VitrailError(
      `Cannot put a text into ${limit} tokens: ${before.length + after.length} are special; ` +
        "give a longer --sequence",
    );
  }
  let truncated = 0;
  const sequences = Array.from(texts, (text) => {
    // The rest of a long text is not looked at; a word cut in two ends well behind the limit.
    let reach = 16 * room;
    let ids = tokenizer.encode(text.slice(0, reach));
    while (reach < text.length && ids.length < room + LONGEST_WORD) {
      reach *= 4;
      ids = tokenizer.encode(text.slice(0, reach));
    }
    if (ids.length > room) truncated++;
    return Uint32Array.from([...before, ...ids.subarray(0, room), ...after]);
  });
  return { sequences, truncated };
}

/** T is a multiple of this: buffers of few sizes serve all batches. */
const MULTIPLE = 8;

/** Puts sequences side by side; `limit` is the model's context. */
export function padBatch(
  sequences: readonly Uint32Array[],
  { padId, limit }: Pick<SequenceFormat, "padId" | "limit">,
): PaddedBatch {
  const longest = sequences.reduce((most, { length }) => Math.max(most, length), 1);
  const time = Math.min(Math.max(limit, longest), Math.ceil(longest / MULTIPLE) * MULTIPLE);
  const ids = new Uint32Array(sequences.length * time).fill(padId);
  sequences.forEach((sequence, b) => ids.set(sequence, b * time));
  return { ids, lengths: Uint32Array.from(sequences, ({ length }) => length), time };
}

/** Sequences and their labels, as numbers. */
export interface LabelledSequences {
  /** Ids of each. */
  sequences: readonly Uint32Array[];
  /** Class numbers, one each for `single`; else a row of numbers each. */
  targets: readonly (readonly number[])[];
  /** What they mean. */
  kind: LabelKind;
}

/** Labels as the model's output sees them: a class number; a row of 0 and 1; or numbers. */
export function labelTargets(
  labels: readonly (string[] | number[])[],
  { names, kind }: { names: readonly string[]; kind: LabelKind },
): number[][] {
  const numbers = new Map(names.map((name, i) => [name, i]));
  return labels.map((given) => {
    if (kind === "number") return given as number[];
    if (kind === "single") return [numbers.get((given as string[])[0])!];
    return names.map((name) => (given as string[]).includes(name) ? 1 : 0);
  });
}

/** Some of the sequences, in a batch. */
export function labelledBatch(
  { sequences, targets, kind }: LabelledSequences,
  chosen: Iterable<number>,
  format: Pick<SequenceFormat, "padId" | "limit">,
): LabelledBatch {
  const numbers = [...chosen];
  const flat = numbers.flatMap((i) => targets[i]);
  return {
    ...padBatch(numbers.map((i) => sequences[i]), format),
    targets: kind === "single" ? Int32Array.from(flat) : Float32Array.from(flat),
  };
}

/** Numbers of sequences in batches of about one length, for evaluation: longest last. */
export function byLength(sequences: readonly Uint32Array[], batch: number): number[][] {
  const order = [...sequences.keys()].sort((a, b) =>
    sequences[a].length - sequences[b].length || a - b
  );
  return Array.from(
    { length: Math.ceil(order.length / batch) },
    (_, i) => order.slice(i * batch, (i + 1) * batch),
  );
}

/** Batches whose sequences are sorted together, to be shuffled: a bound on how alike batches are. */
const POOL = 32;

/**
 * Draws batches for training: each epoch visits every sequence once, but for a few that would fill no
 * batch, in an order of its own; batches hold sequences of about one length. Batch n depends on n and the seed alone, so a resumed
 * run needs no state.
 */
export class LabelledSampler {
  /** Batches in an epoch. */
  readonly batches: number;
  readonly #data: LabelledSequences;
  readonly #options: { batch: number; seed: number; balanced: boolean };
  readonly #format: Pick<SequenceFormat, "padId" | "limit">;
  #epoch: { number: number; batches: Uint32Array[] } | undefined;

  /**
   * With `balanced`, an epoch draws from each class as often as from any other, so that texts of a
   * rare class come several times.
   */
  constructor(
    data: LabelledSequences,
    options: Pick<SequenceFormat, "padId" | "limit"> & {
      batch: number;
      seed?: number;
      balanced?: boolean;
    },
  ) {
    const { batch, seed = 0, balanced = false } = options;
    this.#data = data;
    this.#options = { batch, seed, balanced };
    this.#format = options;
    this.batches = Math.max(1, Math.floor(data.sequences.length / batch));
  }

  /** The n-th batch. */
  at(n: number): LabelledBatch {
    const number = Math.floor(n / this.batches);
    if (this.#epoch?.number !== number) {
      this.#epoch = { number, batches: this.#draw(number) };
    }
    return labelledBatch(this.#data, this.#epoch.batches[n % this.batches], this.#format);
  }

  #draw(epoch: number): Uint32Array[] {
    const { batch, seed } = this.#options;
    const { sequences } = this.#data;
    const random = randomOf(seed, epoch);
    const order = this.#order(random).subarray(0, this.batches * batch);
    const batches: Uint32Array[] = [];
    for (let from = 0; from < order.length; from += POOL * batch) {
      const pool = order.slice(from, from + POOL * batch);
      pool.sort((a, b) => sequences[a].length - sequences[b].length);
      for (let at = 0; at < pool.length; at += batch) batches.push(pool.subarray(at, at + batch));
    }
    const places = Uint32Array.from(batches.keys());
    shuffle(places, random);
    return Array.from(places, (place) => batches[place]);
  }

  /** The sequences of an epoch, in random order. */
  #order(random: () => number): Uint32Array {
    const { sequences, targets } = this.#data;
    const all = Uint32Array.from(sequences.keys());
    shuffle(all, random);
    if (!this.#options.balanced) return all;
    const classes = [...Map.groupBy(all, (i) => targets[i][0]).values()];
    const turn = (i: number): number => {
      const members = classes[i % classes.length];
      return members[Math.floor(i / classes.length) % members.length];
    };
    const drawn = Uint32Array.from(all, (_, i) => turn(i));
    shuffle(drawn, random);
    return drawn;
  }
}
