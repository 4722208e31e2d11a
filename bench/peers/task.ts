/**
 * What the comparison asks of a library: a problem once, then the same work again and again.
 *
 * @module
 */

/** A library with a problem's data on the device. */
export interface Session {
  /** Which of several ways the library chose, if it had a choice. */
  readonly way?: string;
  /**
   * Does the work `calls` times and reads the last result, or a figure of each call, with as few waits
   * as the library allows.
   */
  run(calls: number): Promise<ArrayLike<number>>;
  /** Gives the data back. */
  dispose(): void;
}

/** A library under comparison. */
export interface Peer<P> {
  /** Its name and version. */
  readonly name: string;
  /** Loads it, and puts the problem on the device. */
  open(problem: P): Promise<Session>;
}

/** One size of a task. */
export interface Problem<P> {
  /** Sizes in words. */
  label: string;
  /** What each library is given. */
  data: P;
  /** Calls in a round. */
  calls: number;
  /** Calls of the first run, which compiles: fewer where a call is long. 1 if absent. */
  warmUp?: number;
  /** Floating-point operations of a call, where that is the figure to know. */
  flops?: number;
  /** Largest difference of a result of one call to what double precision says of it. */
  differenceToExact?(result: ArrayLike<number>): number;
}

/** Work that all libraries do in their own way. */
export interface Task<P> {
  /** What `--only` selects it by. */
  readonly name: string;
  /** What a call is, in words. */
  readonly call: string;
  /** How many times as fast as the best peer we mean to be; absent where nothing was promised. */
  readonly aim?: number;
  /** Largest difference of results that count as equal. */
  readonly tolerance: number;
  /** Rounds, of which the median counts. */
  readonly rounds: number;
  /** The sizes. */
  problems(): readonly Problem<P>[] | Promise<readonly Problem<P>[]>;
  /** Ourselves first. */
  readonly peers: readonly Peer<P>[];
}
