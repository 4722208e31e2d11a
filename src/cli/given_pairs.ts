/**
 * Pairs of texts that a command compares: one of the command line, or many of `--data`.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { parseJson } from "../formats/json_file.ts";
import { absent, either, object, type Rule, text, whole } from "../formats/json_rules.ts";
import { showPath } from "../formats/messages.ts";
import { readSmallText } from "../formats/text_file.ts";
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

const pairRule: Rule<TextPair> = object({
  clean: text,
  corrupted: text,
  right: either(text, absent),
  wrong: either(text, absent),
  place: either(whole(Number.MIN_SAFE_INTEGER), absent),
});

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
  const pairs = readSmallText(data).split("\n").flatMap((line, i) =>
    line.trim() === "" ? [] : [{ ...common, ...pairOf(line, { data, number: i + 1 }) }]
  );
  if (pairs.length > 0) return pairs;
  throw new VitrailError(`Cannot patch with ${showPath(data)}: it holds no pair`);
}

function pairOf(line: string, { data, number }: { data: string; number: number }): TextPair {
  const fault = (reason: string): VitrailError =>
    new VitrailError(
      `Cannot read ${showPath(data)}: line ${number}: ${reason}; wanted ` +
        '{"clean": "…", "corrupted": "…"}, and "right", "wrong" and "place" where you know them',
    );
  return parseJson(line, pairRule, { fault });
}
