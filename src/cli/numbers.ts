/**
 * Parsers of flag values.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";

/** A whole number from `least` on. */
export function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`wanted a whole number from ${least}.`);
  };
}

/** A number from `least` to `most`. */
export function real(least: number, most = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && value <= most) return value;
    const upper = most === Infinity ? "on" : `to ${most}`;
    throw new InvalidArgumentError(`wanted a number from ${least} ${upper}.`);
  };
}

/** Token ids with commas between them. */
export function idList(text: string): number[] {
  const ids = text.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
  if (ids.every((id) => Number.isInteger(id) && id >= 0)) return ids;
  throw new InvalidArgumentError("wanted token ids with commas between them, such as 54,38,0.");
}
