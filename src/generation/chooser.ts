/**
 * What chooses the tokens of a generation, on the device, and collects them, on the host.
 *
 * @module
 */
import type { NumericArray, Tensor } from "../gpu/tensor.ts";
import type { Ahead } from "./run_ahead.ts";

/** A sequence that was written. */
export interface GeneratedSequence {
  /** Its new tokens, without the one that ended it. */
  ids: number[];
  /**
   * The logarithm of the probability that the model gave to each of them: before temperature, penalties
   * and filters.
   */
  logProbabilities: number[];
  /** Their sum. */
  logProbability: number;
  /** Why it ended: at a stop id, or because the caller said so; or as long as it may be. */
  finishReason: "stop" | "length";
  /** Of a beam search: the sum of its scores, its end included, divided by its length to the power of the penalty. */
  score?: number;
}

/** A row of logits that are not finite. */
export interface RowFault {
  /** The prompt. */
  prompt: number;
  /** What was written behind it before. */
  ids: readonly number[];
}

/** Chooses tokens step by step. Row b of all its tensors continues prompt b mod P. */
export interface Chooser {
  /** (B, 1) u32: the tokens that were chosen last. */
  readonly ids: Tensor;
  /** Whose keys and values each row reads, if not its own: see `Decoder.step`. */
  readonly rows?: Tensor;
  /** What a chunk of steps leaves, one column or row per step. */
  readonly results: readonly Tensor[];
  /** Chooses from logits (B, 1, V) the tokens that follow `step` new ones, and notes them in a column. */
  choose(logits: Tensor, at: { step: number; column: number }): void;
  /** Takes the results of a chunk. */
  take(results: readonly NumericArray[], chunk: Pick<Ahead, "begin" | "end">): void;
  /** Whether all sequences have ended, or one cannot go on. */
  readonly done: boolean;
  /** Set where logits were not finite. */
  readonly fault: RowFault | undefined;
  /** What was written for each prompt. */
  finish(): GeneratedSequence[][];
}
