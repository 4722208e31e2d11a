/**
 * Answers that nobody had to learn, to see what learnt ones are worth.
 *
 * @module
 */
import { normalizeAnswer } from "./answer_scores.ts";
import type { Question } from "./question_answers.ts";

/** Words of an answer, at most. */
const LONGEST = 10;

/** The first words of the context, without a look at the question. */
export function firstWords({ context }: Question, words = 2): string {
  return context.trim().split(/\s+/).slice(0, words).join(" ");
}

/**
 * The sentence of the context with the most words of the question, and of it the longest run of words
 * that the question has not; up to ten.
 */
export function wordOverlap({ question, context }: Question): string {
  const asked = new Set(normalizeAnswer(question).split(" "));
  const sentences = context.split(/(?<=[.?!;])\s+/).map((sentence) => sentence.split(/\s+/));
  const known = (word: string): boolean => asked.has(normalizeAnswer(word));
  let [best, most] = [sentences[0], -1];
  for (const sentence of sentences) {
    const shared = new Set(sentence.filter(known).map(normalizeAnswer)).size;
    if (shared > most) [best, most] = [sentence, shared];
  }
  let [found, run]: [string[], string[]] = [[], []];
  for (const word of best) {
    // Articles and punctuation are nothing to compare: they go with what is around them.
    if (normalizeAnswer(word) !== "" && known(word)) run = [];
    else run.push(word);
    if (run.length > found.length) found = [...run];
  }
  return found.slice(0, LONGEST).join(" ");
}
