/**
 * Pairs of texts that a command compares: one of the command line, or many of `--data`.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { describeIoError, showPath } from "../formats/messages.ts";
import type { Question } from "../probes/judge.ts";

/** A clean and a corrupted text, and what is asked about them. */
export interface TextPair extends Question {
  clean: string;
  corrupted: string;
}

/** Where pairs are, and what holds for all of them unless they say otherwise. */
export interface PairFlags extends Question {
  data?: string;
}

const FIELDS = {
  clean: "string",
  corrupted: "string",
  right: "string",
  wrong: "string",
  place: "number",
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
  for (const [field, type] of Object.entries(FIELDS)) {
    const needed = field === "clean" || field === "corrupted";
    if (given?.[field] === undefined ? needed : typeof given[field] !== type) {
      throw wrong(`has no ${field} that is a ${type === "string" ? "text" : type}`);
    }
  }
  return given as unknown as TextPair;
}
