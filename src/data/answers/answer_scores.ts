/**
 * How well questions were answered, as SQuAD's own script counts it: exact match and F1.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { QuestionAnswers } from "./question_answers.ts";

/** Figures of answers, from 0 to 1. */
export interface AnswerScores {
  /** Part of the answers that are right to the word. */
  exactMatch: number;
  /** Mean overlap in words with the nearest right answer. */
  f1: number;
  /** Questions. */
  questions: number;
  /** The same of questions that have an answer, where some have one and others none. */
  answerable?: { exactMatch: number; f1: number; questions: number };
  /** Of questions that have none: the part for which none was given. */
  impossible?: { exactMatch: number; f1: number; questions: number };
}

/** Python's `string.punctuation`. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/** Articles as whole words, whatever the alphabet of the letters beside them. */
const ARTICLES = /(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu;

/** An answer in small letters, without ASCII punctuation and articles, one blank between words. */
export function normalizeAnswer(answer: string): string {
  return answer.toLowerCase().replace(PUNCTUATION, "").replace(ARTICLES, " ").trim()
    .replace(/\s+/g, " ");
}

const wordsOf = (answer: string): string[] => {
  const normal = normalizeAnswer(answer);
  return normal === "" ? [] : normal.split(" ");
};

/** 1 if two answers are the same but for articles, punctuation and case, else 0. */
export function exactMatch(wanted: string, found: string): number {
  return normalizeAnswer(wanted) === normalizeAnswer(found) ? 1 : 0;
}

/** Harmonic mean of precision and recall over words; an answer of no words equals only another. */
export function answerF1(wanted: string, found: string): number {
  const [there, given] = [wordsOf(wanted), wordsOf(found)];
  if (there.length === 0 || given.length === 0) return there.length === given.length ? 1 : 0;
  const left = new Map<string, number>();
  for (const word of there) left.set(word, (left.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of given) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    same++;
    left.set(word, count - 1);
  }
  if (same === 0) return 0;
  const [precision, recall] = [same / given.length, same / there.length];
  return 2 * precision * recall / (precision + recall);
}

/** The better of a question's right answers; of an impossible question, giving none is right. */
function best(
  { answers }: QuestionAnswers,
  measure: (wanted: string, found: string) => number,
  found: string,
): number {
  // As SQuAD 2.0's script: an answer of articles and punctuation only is none.
  const texts = answers.map(({ text }) => text).filter((text) => normalizeAnswer(text) !== "");
  return Math.max(...(texts.length > 0 ? texts : [""]).map((wanted) => measure(wanted, found)));
}

/**
 * Compares answers with those that are right.
 *
 * @param questions with their right answers
 * @param answers by the id of the question; empty where it is said to have none
 * @throws {VitrailError} if a question was not answered
 */
export function scoreAnswers(
  questions: readonly QuestionAnswers[],
  answers: ReadonlyMap<string, string>,
): AnswerScores {
  const scored = questions.map((question) => {
    const found = answers.get(question.id);
    if (found === undefined) {
      throw new VitrailError(
        `Cannot score answers: question ${question.id} has none; give "" for no answer`,
      );
    }
    return {
      possible: question.answers.length > 0,
      exact: best(question, exactMatch, found),
      f1: best(question, answerF1, found),
    };
  });
  const mean = (some: typeof scored) => ({
    exactMatch: some.reduce((sum, { exact }) => sum + exact, 0) / Math.max(1, some.length),
    f1: some.reduce((sum, { f1 }) => sum + f1, 0) / Math.max(1, some.length),
    questions: some.length,
  });
  const impossible = scored.filter(({ possible }) => !possible);
  if (impossible.length === 0) return mean(scored);
  const answerable = scored.filter(({ possible }) => possible);
  return {
    ...mean(scored),
    ...answerable.length > 0 && { answerable: mean(answerable) },
    impossible: mean(impossible),
  };
}

/** An answer with the score that it would have none. */
export interface DoubtfulAnswer {
  /** The best answer that is one. */
  text: string;
  /** Score of no answer less the score of this one: the higher, the more in doubt. */
  doubt: number;
}

/**
 * The doubt above which giving no answer makes the mean F1 highest, as SQuAD 2.0's script finds it.
 *
 * @returns the highest doubt at which an answer is still given, and the F1 it gives
 */
export function bestThreshold(
  questions: readonly QuestionAnswers[],
  answers: ReadonlyMap<string, DoubtfulAnswer>,
): { threshold: number; f1: number } {
  const gains = questions.map((question) => {
    const { text, doubt } = answers.get(question.id)!;
    return { doubt, gain: best(question, answerF1, text) - best(question, answerF1, "") };
  }).sort((a, b) => a.doubt - b.doubt);
  // With no answer at all, impossible questions are right.
  let sum = questions.reduce((total, question) => total + best(question, answerF1, ""), 0);
  const count = Math.max(1, questions.length);
  let found = { threshold: -Infinity, f1: sum / count };
  gains.forEach(({ doubt, gain }, i) => {
    sum += gain;
    if (gains[i + 1]?.doubt === doubt) return;
    if (sum / count > found.f1) found = { threshold: doubt, f1: sum / count };
  });
  return found;
}
