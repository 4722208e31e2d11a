/**
 * Sentences of a text.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";

/** Where sentences end: at each line, or where Unicode's rules (UAX 29) put it. */
export type SentenceRule = "lines" | "segmenter";

/** All rules. */
export const SENTENCE_RULES: readonly SentenceRule[] = ["lines", "segmenter"];

/** The Brown corpus has a sentence on each line; of other sources nothing is known. */
export function usualRule(source: string): SentenceRule {
  return source === "brown" ? "lines" : "segmenter";
}

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

/** Unicode's rules know no abbreviations: a stop after one of these, or an initial, ends nothing. */
const ABBREVIATED =
  /(^|[\s("'])(\p{Lu}|Mr|Mrs|Ms|Messrs|Dr|Prof|Rev|Hon|Gov|Sen|Rep|Gen|Col|Maj|Capt|Lt|Sgt|St|Mt|No|vs|cf|U\.S|e\.g|i\.e)\.\s*$/u;
/** A sentence does not begin with a small letter: `"Is it so?" he asked.` is one. */
const GOES_ON = /^\p{Ll}/u;

/**
 * The sentences of a text in order, without white space around them or line ends within. With the
 * rule `segmenter`, a blank line ends a sentence and a single line end is a blank.
 *
 * @throws {VitrailError} at a rule that does not exist
 */
export function splitSentences(text: string, rule: SentenceRule): string[] {
  if (!SENTENCE_RULES.includes(rule)) {
    throw new VitrailError(
      `Cannot split sentences by ${rule}: wanted ${SENTENCE_RULES.join(" or ")}`,
    );
  }
  const plain = (piece: string): string => piece.replace(/\s+/g, " ").trim();
  if (rule === "lines") return text.split("\n").map(plain).filter((line) => line !== "");
  const found: string[] = [];
  for (const paragraph of text.split(/\n\s*\n/)) {
    let begun = "";
    for (const { segment } of segmenter.segment(plain(paragraph))) {
      if (begun !== "" && !ABBREVIATED.test(begun) && !GOES_ON.test(segment)) {
        found.push(begun.trim());
        begun = "";
      }
      begun += segment;
    }
    if (begun.trim() !== "") found.push(begun.trim());
  }
  return found;
}
