/**
 * Which variant of a kernel runs: the winners of a tuner by class of call, the shipped choice for all
 * other classes. Looking up is synchronous, since nothing in the middle of a step may wait; measuring
 * is not, and is done between steps by `src/tuning/`, on the calls that this table has noted.
 *
 * @module
 */
import type { Device } from "./device.ts";
import type { Tensor } from "./tensor.ts";

/** The operands of a noted call, made anew, on which any variant can be run. */
export interface Trial {
  /** What a run writes, or adds to. */
  outputs: Tensor[];
  /** Records one call of the variant. */
  run: (variant: string) => void;
}

/** A `tolerance` for results in f16: two sums that differ in their last bits may be rounded apart. */
export const HALF_TOLERANCE: number = 2 ** -10;

/** A call whose variants can be compared. */
export interface Tunable {
  /** Variants worth a try for this call on this device, without the shipped one. */
  candidates: readonly string[];
  /** Floating-point operations: what is dearest is measured first. */
  flops: number;
  /** How far results may lie apart, as a share of the largest number; 10⁻⁵ if absent. */
  tolerance?: number;
  /** Makes operands, from `random`, which allocates a tensor of numbers in [-0.5, 0.5). */
  prepare: (device: Device, random: (shape: readonly number[]) => Tensor) => Trial;
}

/** A class of calls that was met while the table took notes. */
export interface NotedCall {
  /** Kernel and class of shapes, such as `matmul 256x128x512 ta`. */
  key: string;
  /** What runs unless something is known to be better. */
  shipped: string;
  /** Its first call. */
  call: Tunable;
  /** How often it was met. */
  count: number;
}

/** The table of one device. */
export class VariantTable {
  #chosen: ReadonlyMap<string, string> = new Map();
  /** Notes that are being taken, each by one `note`. */
  readonly #notes = new Set<Map<string, NotedCall>>();

  /**
   * The variant for a call of class `key`: the winner, or `shipped` if nobody measured it.
   *
   * @param describe called where the table takes notes and meets the class for the first time
   */
  choose(key: string, shipped: string, describe: () => Tunable): string {
    for (const notes of this.#notes) {
      const noted = notes.get(key);
      if (noted) noted.count++;
      else notes.set(key, { key, shipped, call: describe(), count: 1 });
    }
    return this.#chosen.get(key) ?? shipped;
  }

  /** The winners by class, in the order of the classes' names. */
  get chosen(): Record<string, string> {
    return Object.fromEntries([...this.#chosen].toSorted(([a], [b]) => a < b ? -1 : 1));
  }

  /** Replaces every choice. */
  use(chosen: Record<string, string>): void {
    this.#chosen = new Map(Object.entries(chosen));
  }

  /**
   * Runs `work` and returns the classes of calls that were made meanwhile, the dearest first: those of
   * others on the device as well, if `work` waits.
   */
  async note(work: () => void | Promise<void>): Promise<NotedCall[]> {
    const noted = new Map<string, NotedCall>();
    this.#notes.add(noted);
    try {
      await work();
    } finally {
      this.#notes.delete(noted);
    }
    const dear = ({ call, count }: NotedCall): number => call.flops * count;
    return [...noted.values()].toSorted((a, b) => dear(b) - dear(a));
  }
}
