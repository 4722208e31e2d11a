/**
 * Parsers of flag values.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";

/** The largest whole number that a shader takes: seeds and counts are 32 bits there. */
const MOST = 2 ** 32 - 1;
/** The numbers above zero that a shader takes: an f32 rounds smaller ones to zero, larger ones to infinity. */
const [SMALLEST, LARGEST] = [2 ** -126, (2 - 2 ** -23) * 2 ** 127];

/** A whole number from `least` to 2³² - 1, or to `most`. */
export function whole(least: number, most: number = MOST): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`wanted a whole number from ${least}.`);
    }
    if (value > most) throw new InvalidArgumentError(`wanted a whole number up to ${most}.`);
    return value;
  };
}

/** A number from `least` to `most`, one that an f32 can hold. */
export function real(least: number, most = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= least && value <= most) || !Number.isFinite(value)) {
      const upper = most === Infinity ? "on" : `to ${most}`;
      throw new InvalidArgumentError(`wanted a number from ${least} ${upper}.`);
    }
    const size = Math.abs(value);
    if (size > LARGEST) {
      throw new InvalidArgumentError(`wanted a number up to ${LARGEST.toPrecision(3)}.`);
    }
    // 1e-400 is 0 by now; its digits say that it was meant to be something else.
    const vanished = size < SMALLEST && /[1-9]/.test(text.replace(/e.*$/i, ""));
    if (vanished) {
      throw new InvalidArgumentError(
        `wanted 0, or a number from ${
          SMALLEST.toPrecision(3)
        } on, below which a GPU computes with 0.`,
      );
    }
    return value;
  };
}

/** Token ids with commas between them. */
export function idList(text: string): number[] {
  const ids = text.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
  if (ids.every((id) => Number.isInteger(id) && id >= 0 && id <= MOST)) return ids;
  throw new InvalidArgumentError("wanted token ids with commas between them, such as 54,38,0.");
}
