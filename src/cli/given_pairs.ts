/**
 * Pairs of texts that a command compares: one of the command line, or many of `--data`.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { describeIoError, showPath } from "../formats/messages.ts";
import type { JudgeQuestion } from "../probes/judge.ts";

/** A clean and a corrupted text, and what is asked about them. */
export interface TextPair extends JudgeQuestion {
  clean: string;
  corrupted: string;
}

/** Where pairs are, and what holds for all of them unless they say otherwise. */
export interface PairFlags extends JudgeQuestion {
  data?: string;
}

const text = (value: unknown): boolean => typeof value === "string";
const absent = (value: unknown): boolean => value === undefined;
/** What each field must be. */
const FIELDS: Record<keyof TextPair, (value: unknown) => boolean> = {
  clean: text,
  corrupted: text,
  right: (value) => absent(value) || text(value),
  wrong: (value) => absent(value) || text(value),
  place: (value) => absent(value) || Number.isInteger(value),
};

/**
 * The pairs, one at least.
 *
 * @throws {VitrailError} if there is none, a text is missing, or a line of the file is not as it should be
 */
export function givenPairs(
  [clean, corrupted]: readonly (string | undefined)[],
  { data, right, wrong, place }: PairFlags,
): TextPair[] {
  const common = { right, wrong, place };
  if (data === undefined) {
    if (clean !== undefined && corrupted !== undefined) return [{ clean, corrupted, ...common }];
    throw new VitrailError(
      "Cannot patch between fewer than two texts: give a clean and a corrupted one, or --data FILE",
    );
  }
  if (clean !== undefined) {
    throw new VitrailError(
      "Cannot use both --data and texts of the command line: give one of them",
    );
  }
  const pairs = readLines(data).flatMap((line, i) =>
    line.trim() === "" ? [] : [{ ...common, ...pairOf(line, { data, number: i + 1 }) }]
  );
  if (pairs.length > 0) return pairs;
  throw new VitrailError(`Cannot patch with ${showPath(data)}: it holds no pair`);
}

function readLines(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).split("\n");
  } catch (error) {
    throw new VitrailError(`Cannot read ${showPath(path)}: ${describeIoError(error)}`);
  }
}

function pairOf(line: string, { data, number }: { data: string; number: number }): TextPair {
  const wrong = (reason: string) =>
    new VitrailError(
      `Cannot read ${showPath(data)}: line ${number} ${reason}; wanted ` +
        '{"clean": "…", "corrupted": "…"}, and "right", "wrong" and "place" where you know them',
    );
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(line);
  } catch {
    throw wrong("is no JSON");
  }
  for (const [field, fits] of Object.entries(FIELDS)) {
    if (!fits(given?.[field])) throw wrong(`has no ${field} that would do`);
  }
  return given as unknown as TextPair;
}
