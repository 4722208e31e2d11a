/**
 * Labelled sequences in padded batches of about one length.
 *
 * @module
 */
import { checkOptions, count, countOrNone, seedRule } from "../../formats/option_rules.ts";
import type { LabelKind } from "../../formats/huggingface_bert.ts";
import { padBatch, type PaddedBatch, type SequenceFormat } from "../padded_sequences.ts";
import { below, type Random, randomOf, shuffle } from "../random.ts";

/** Sequences with what is asked about them. */
export interface LabelledBatch extends PaddedBatch {
  /** One class for each sequence (B); or for each label 0, 1 or a number (B·labels). */
  targets: Int32Array | Float32Array;
}

/** Sequences and their labels, as numbers. */
export interface LabelledSequences {
  /** Ids of each. */
  sequences: readonly Uint32Array[];
  /** Segment ids of each that has any; absent if none has. */
  segments?: readonly (Uint32Array | undefined)[];
  /** The number of the text that each is a window of, one text behind another; each its own if absent. */
  texts?: readonly number[];
  /** Of each text its class number for `single`; else a row of numbers. */
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
  { sequences, segments, targets, texts, kind }: LabelledSequences,
  chosen: Iterable<number>,
  { padId, limit }: Pick<SequenceFormat, "padId" | "limit">,
): LabelledBatch {
  const numbers = [...chosen];
  const flat = numbers.flatMap((i) => targets[texts?.[i] ?? i]);
  return {
    ...padBatch(numbers.map((i) => sequences[i]), {
      padId,
      limit,
      segments: segments && numbers.map((i) => segments[i]),
    }),
    targets: kind === "single" ? Int32Array.from(flat) : Float32Array.from(flat),
  };
}

/** Numbers of the sequences of each text. */
export function windowsOf(
  { sequences, texts }: Pick<LabelledSequences, "sequences" | "texts">,
): number[][] {
  const windows: number[][] = [];
  sequences.forEach((_, i) => (windows[texts?.[i] ?? i] ??= []).push(i));
  return windows;
}

/**
 * What a model says of a text: the mean of what it says of its windows. Of logits that is the geometric
 * mean of the probabilities, up to a factor.
 */
export function meanOverWindows(
  each: readonly (readonly number[])[],
  windows: readonly (readonly number[])[],
): number[][] {
  return windows.map((own) =>
    each[own[0]].map((_, k) => own.reduce((sum, i) => sum + each[i][k], 0) / own.length)
  );
}

/** Batches whose sequences are sorted together, to be shuffled: a bound on how alike batches are. */
const POOL = 32;

/**
 * Draws batches for training: each epoch visits every text once, in one of its windows, but for a few that
 * would fill no batch, in an order of its own; batches hold sequences of about one length. Batch n depends
 * on n and the seed alone, so a resumed run needs no state.
 */
export class LabelledSampler {
  /** Batches in an epoch. */
  readonly batches: number;
  readonly #data: LabelledSequences;
  /** Numbers of the sequences of each text. */
  readonly #windows: readonly (readonly number[])[];
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
    const values = { sequences: data.sequences.length, batch, seed };
    const rules = { sequences: count, batch: count, seed: seedRule };
    checkOptions("Cannot draw batches", values, rules);
    this.#data = data;
    this.#options = { batch, seed, balanced };
    this.#format = options;
    this.#windows = windowsOf(data);
    this.batches = Math.max(1, Math.floor(this.#windows.length / batch));
  }

  /** The n-th batch. */
  at(n: number): LabelledBatch {
    checkOptions("Cannot draw a batch", { n }, { n: countOrNone });
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
    const order = this.#order(random).subarray(0, this.batches * batch).map((text) => {
      const windows = this.#windows[text];
      return windows[windows.length > 1 ? below(random, windows.length) : 0];
    });
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

  /** The texts of an epoch, in random order. */
  #order(random: Random): Uint32Array {
    const { targets } = this.#data;
    const all = Uint32Array.from(this.#windows.keys());
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
