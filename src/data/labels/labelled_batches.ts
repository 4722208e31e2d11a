/**
 * Labelled sequences in padded batches of about one length.
 *
 * @module
 */
import type { LabelKind } from "../../formats/huggingface_bert.ts";
import { padBatch, type PaddedBatch, type SequenceFormat } from "../padded_sequences.ts";
import { randomOf, shuffle } from "../random.ts";

/** Sequences with what is asked about them. */
export interface LabelledBatch extends PaddedBatch {
  /** One class for each sequence (B); or for each label 0, 1 or a number (B·labels). */
  targets: Int32Array | Float32Array;
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
