/**
 * Words of which only some will do, and the nearest right one for a slip of the hand.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import { VitrailError } from "../errors.ts";

/** Edits that make one word of another: a letter left out, put in, changed, or two swapped. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
      }
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

const LONGEST_WORD = 64;

/** The word that was most likely meant; none if all are far off. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  // A slip of the hand is a short one; a damaged file may have a word of any length.
  if (word.length > LONGEST_WORD) return undefined;
  const plain = word.toLowerCase();
  const found = words
    .map((candidate) => ({ candidate, edits: distance(plain, candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) =>
      edits <= Math.max(1, Math.min(3, candidate.replace(/^-+/, "").length / 2)) ||
      plain.length > 3 && candidate.toLowerCase().startsWith(plain)
    )
    .toSorted((a, b) => a.edits - b.edits);
  return found[0]?.candidate;
}

/** `wanted a, b or c`, with the nearest of them named where there is one. */
export function wantedOne(word: string, words: readonly string[]): string {
  const all = `wanted ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
  const near = nearest(word, words);
  return near === undefined ? all : `${all}; did you mean ${near}?`;
}

/**
 * Checks a word against those that will do.
 *
 * @param what what the word is, such as `preset`
 * @throws {VitrailError} if it is another; the nearest is named
 */
export function checkChoice(what: string, word: string, words: readonly string[]): void {
  if (words.includes(word)) return;
  throw new VitrailError(`Cannot use ${what} ${word}: ${wantedOne(word, words)}`);
}

/** A parser of a flag that takes one of these words. */
export function oneOf(...words: string[]): (text: string) => string {
  return (text) => {
    if (words.includes(text)) return text;
    throw new InvalidArgumentError(`${wantedOne(text, words)}`);
  };
}
