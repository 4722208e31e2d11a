/**
 * Text for a tuned lens: most of its windows to learn from, the others to be judged on.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { ProbeSubject } from "../subject.ts";
import { TokenWindows } from "../token_windows.ts";
import type { LensBatch } from "./tuned_lens_training.ts";

/** Windows held out, at most, and the part of all that they are at most. */
const HELD_OUT = { most: 64, part: 0.1 };

/** Batches of a text. */
export interface LensText {
  /** The n-th batch to learn from, for any n. */
  batchAt: (n: number) => LensBatch;
  /** The batches that nothing is learnt from. */
  heldOut: (() => LensBatch)[];
  /** Windows of each kind. */
  windows: { train: number; heldOut: number };
}

/**
 * Cuts a text into windows, in an order of their own. Of BERT's windows 15 % of the tokens are masked, as
 * they are in its training; the lens learns from every place.
 *
 * @throws {VitrailError} if there are not two windows
 */
export function lensText(
  subject: ProbeSubject,
  ids: Uint32Array,
  { batch, sequence }: { batch: number; sequence?: number },
): LensText {
  const windows = new TokenWindows(subject, ids, { length: sequence });
  const { count } = windows;
  const kept = Math.min(HELD_OUT.most, Math.max(1, Math.floor(HELD_OUT.part * count)));
  if (kept >= count) {
    throw new VitrailError(
      `Cannot train a lens on ${ids.length} tokens in windows of ${windows.length}: they fill one, and ` +
        "one is held out; give more text, or a shorter --sequence",
    );
  }
  const train = count - kept;
  const numbers = (from: number, length: number, modulo: number, base = 0): number[] =>
    Array.from({ length }, (_, i) => base + (from + i) % modulo);
  return {
    batchAt: (n) => windows.batch(numbers(n * batch, Math.min(batch, train), train)).input,
    heldOut: Array.from(
      { length: Math.ceil(kept / batch) },
      (_, i) => () =>
        windows.batch(numbers(i * batch, Math.min(batch, kept - i * batch), kept, train)).input,
    ),
    windows: { train, heldOut: kept },
  };
}
