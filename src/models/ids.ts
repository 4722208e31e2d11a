/**
 * Checks on token ids, before a kernel reads past the end of a table.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";

/** Throws if an id is not a whole number below the vocabulary's size. */
export function checkIds(
  ids: ArrayLike<number>,
  options: { vocabularySize: number; time: number },
): void {
  const { vocabularySize, time } = options;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    if (Number.isInteger(id) && id >= 0 && id < vocabularySize) continue;
    const sequence = ids.length > time ? ` of sequence ${Math.floor(i / time)}` : "";
    throw new VitrailError(
      `Cannot embed token id ${id} at position ${i % time}${sequence}: ` +
        `a vocabulary of ${vocabularySize} has ids 0 to ${vocabularySize - 1}`,
    );
  }
}

/** Throws if a sequence is empty or longer than the model's context. */
export function checkLength(time: number, contextLength: number): void {
  if (time >= 1 && time <= contextLength) return;
  throw new VitrailError(
    time < 1
      ? "Cannot run a model on an empty sequence: give it at least one token"
      : `Cannot run a model on ${time} tokens: its context is ${contextLength}; shorten the text`,
  );
}
