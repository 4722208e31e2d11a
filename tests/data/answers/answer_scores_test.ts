/** Scores of answers beside those of transformers' copy of SQuAD's script. @module */

import assert from "node:assert/strict";
import { firstWords, wordOverlap } from "../../../src/data/answers/answer_baseline.ts";
import {
  answerF1,
  bestThreshold,
  exactMatch,
  normalizeAnswer,
  scoreAnswers,
} from "../../../src/data/answers/answer_scores.ts";
import type { QuestionAnswers } from "../../../src/data/answers/question_answers.ts";
import fixture from "../../fixtures/answers/scores.json" with { type: "json" };

const question = (id: string, ...answers: string[]): QuestionAnswers => ({
  id,
  question: "?",
  context: answers.join(" "),
  group: "",
  answers: answers.map((text) => ({ text, begin: 0 })),
});

Deno.test("normal form, exact match and F1 equal those of SQuAD's script", () => {
  for (const { wanted, found, normal, exact, f1 } of fixture.scores) {
    const label = JSON.stringify([wanted, found]);
    assert.equal(normalizeAnswer(wanted), normal, label);
    assert.equal(exactMatch(wanted, found), exact, label);
    assert.ok(Math.abs(answerF1(wanted, found) - f1) < 1e-12, `${label}: ${f1}`);
  }
});

Deno.test("the threshold of no answer is the one that SQuAD's script finds", () => {
  const questions = fixture.cases.map(({ id, answers }) => question(id, ...answers as string[]));
  const doubts = new Map(fixture.cases.map(({ id, text, doubt }) => [id, { text, doubt }]));
  const { threshold, f1 } = bestThreshold(questions, doubts);
  assert.equal(threshold, fixture.threshold);
  assert.ok(Math.abs(f1 - fixture.best) < 1e-12, `${f1}, wanted ${fixture.best}`);
});

Deno.test("answers of one doubt are given together, or not at all", () => {
  const questions = [question("a", "ox"), question("b")];
  // Given alone, the first would gain all; the second, as much in doubt, loses as much.
  const doubts = new Map(["a", "b"].map((id) => [id, { text: "ox", doubt: 0.5 }]));
  assert.deepEqual(bestThreshold(questions, doubts), { threshold: -Infinity, f1: 0.5 });
  doubts.set("b", { text: "ox", doubt: 0.6 });
  assert.deepEqual(bestThreshold(questions, doubts), { threshold: 0.5, f1: 1 });
});

Deno.test("the best of several right answers counts; an impossible question wants none", () => {
  const questions = [question("a", "The red ox", "cat"), question("b", "ox"), question("c")];
  const scored = (a: string, b: string, c: string) =>
    scoreAnswers(questions, new Map([["a", a], ["b", b], ["c", c]]));
  const { exactMatch: exact, f1, answerable, impossible } = scored("red ox!", "an ox sat", "");
  assert.equal(exact, 2 / 3);
  assert.ok(Math.abs(f1 - (1 + 2 / 3 + 1) / 3) < 1e-12, `${f1}`);
  assert.deepEqual(answerable, { exactMatch: 0.5, f1: (1 + 2 / 3) / 2, questions: 2 });
  assert.deepEqual(impossible, { exactMatch: 1, f1: 1, questions: 1 });
  assert.equal(scored("cat", "ox", "anything").exactMatch, 2 / 3);
  assert.equal(scored("", "", "").exactMatch, 1 / 3);
  assert.throws(() => scoreAnswers(questions, new Map([["a", ""]])), /question b has none/);
});

Deno.test("answers without learning: the first words, and what the question leaves of a sentence", () => {
  const context = "A bird sang. The red ox sat on the green hill . It rained.";
  const about = { id: "", context, question: "The what sat on the green hill ?" };
  assert.equal(firstWords(about), "A bird");
  assert.equal(wordOverlap(about), "The red ox");
});
