/** The cloze questions made from Brown: what is asked can be answered from its context, once. @module */

import assert from "node:assert/strict";
import { nounPhrases, questionsOn } from "../../../scripts/make_brown_questions.ts";
import { parseQuestionAnswers } from "../../../src/data/answers/question_answers.ts";

const sentence = (text: string) =>
  text.split(" ").map((word) => {
    const [text, tag] = word.split("/");
    return { text, tag };
  });

Deno.test("noun phrases go from a determiner or adjective to their last noun", () => {
  const tags = "at jj nn in np np vbd at vbn nns . jj vb pp$ nn".split(" ");
  assert.deepEqual(nounPhrases(tags), [[0, 3], [4, 6], [7, 10], [13, 15]]);
});

const SENTENCES = [
  "The/at old/jj dog/nn sat/vbd on/in a/at mat/nn ./.",
  "It/pps saw/vbd a/at red/jj bird/nn in/in the/at tree/nn ./.",
  "He/pps gave/vbd her/ppo some/dti bread/nn and/cc milk/nn ./.",
  "They/ppss went/vbd to/in Rome/np with/in their/pp$ aunt/nn ./.",
].map(sentence);

Deno.test("each answer is in its context once, and its question has the words around it", () => {
  for (let seed = 0; seed < 20; seed++) {
    const paragraphs = questionsOn("t", SENTENCES, { sentences: 2, around: 3, seed });
    assert.ok(paragraphs.length > 0, `${seed}`);
    for (const { context, qas } of paragraphs) {
      for (const { question, answers: [{ text, answer_start }] } of qas) {
        assert.equal(context.indexOf(text), answer_start);
        assert.equal(context.lastIndexOf(text), answer_start);
        // Put back into the question, the answer makes a stretch of the context of it.
        const whole = question.replace(/ \?$/, "").replace("what", () => text);
        assert.ok(context.includes(whole), `${whole} / ${context}`);
        assert.ok(whole.split(" ").length <= text.split(" ").length + 6, question);
      }
    }
    const json = { data: [{ title: "t", paragraphs }] } as unknown as Record<string, unknown>;
    assert.ok(parseQuestionAnswers(json).length > 0);
  }
});

Deno.test("an impossible question is about another place, and its answer is not in the context", () => {
  let count = 0;
  for (let seed = 0; seed < 20; seed++) {
    for (
      const { context, qas } of questionsOn("t", SENTENCES, { sentences: 2, impossible: 1, seed })
    ) {
      for (const { question, answers, is_impossible } of qas) {
        count++;
        assert.deepEqual([answers.length, is_impossible], [0, true]);
        const [before] = question.split("what");
        assert.ok(before === "" || !context.includes(before) || before.length < 5, question);
      }
    }
  }
  assert.ok(count > 10, `${count}`);
});
