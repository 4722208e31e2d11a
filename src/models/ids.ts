/**
 * Token ids and targets on their way to the device, before a kernel reads past the end of a table.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { IGNORE_INDEX } from "../kernels/cross_entropy.ts";

/**
 * Token ids as a tensor of the given shape.
 *
 * @throws {VitrailError} if an id is not a whole number below the vocabulary's size, or their number is
 * not that of the shape
 */
export function uploadIds(
  device: Device,
  ids: ArrayLike<number>,
  options: { vocabularySize: number; shape: readonly number[] },
): Tensor {
  const { vocabularySize, shape } = options;
  if (ids.length === 0) checkLength(0, 1);
  checkIds(ids, { vocabularySize, time: shape.at(-1)! });
  return device.upload(Uint32Array.from(ids), shape);
}

/**
 * What is to be learnt as a tensor of the given shape: a class at each place, or -100 where none counts.
 *
 * @throws {VitrailError} if a target is neither
 */
export function uploadTargets(
  device: Device,
  targets: ArrayLike<number>,
  options: { classes: number; shape?: readonly number[] },
): Tensor {
  const { classes, shape } = options;
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i];
    if (target === IGNORE_INDEX) continue;
    if (Number.isInteger(target) && target >= 0 && target < classes) continue;
    throw new VitrailError(
      `Cannot learn target ${target}, number ${i} of ${targets.length}: ` +
        `wanted one of 0 to ${classes - 1}, or ${IGNORE_INDEX} where none counts`,
    );
  }
  return device.upload(Int32Array.from(targets), shape);
}

/** Throws if an id is not a whole number below the vocabulary's size. */
function checkIds(
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
