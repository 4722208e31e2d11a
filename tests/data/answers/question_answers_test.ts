/** SQuAD's JSON: both versions, places in Unicode's characters, and what is broken. @module */

import assert from "node:assert/strict";
import { folder, rejects } from "../files.ts";
import {
  parseQuestionAnswers,
  readQuestionAnswers,
  readQuestions,
} from "../../../src/data/answers/question_answers.ts";

/** A set of one question on one context. */
const squad = (context: string, qa: Record<string, unknown>, title = "T") => ({
  version: "1.1",
  data: [{ title, paragraphs: [{ context, qas: [{ id: "q", question: "Who?", ...qa }] }] }],
});

const refused = (json: Record<string, unknown>, message: RegExp) =>
  assert.throws(() => parseQuestionAnswers(json, { source: "a.json" }), {
    name: "VitrailError",
    message,
  });

Deno.test("questions with their answers, in the order of the file", async () => {
  const path = Deno.makeTempFileSync({ suffix: ".json" });
  const json = squad("Birds sing.", { answers: [{ text: "Birds", answer_start: 0 }] });
  const qas: Record<string, unknown>[] = json.data[0].paragraphs[0].qas;
  qas.push({
    id: "r",
    question: "What?",
    answers: [{ text: "sing", answer_start: 6 }, { text: "sing.", answer_start: 6 }],
  });
  Deno.writeTextFileSync(path, JSON.stringify(json));
  assert.deepEqual(await readQuestionAnswers(path), [
    {
      id: "q",
      question: "Who?",
      context: "Birds sing.",
      group: "T",
      answers: [{ text: "Birds", begin: 0 }],
    },
    {
      id: "r",
      question: "What?",
      context: "Birds sing.",
      group: "T",
      answers: [{ text: "sing", begin: 6 }, { text: "sing.", begin: 6 }],
    },
  ]);
  Deno.removeSync(path);
});

Deno.test("an impossible question has no answer, though plausible ones are written beside it", () => {
  const plausible = [{ text: "Birds", answer_start: 0 }];
  const json = squad("Birds sing.", {
    is_impossible: true,
    answers: [],
    plausible_answers: plausible,
  });
  assert.deepEqual(parseQuestionAnswers(json)[0].answers, []);
  // SQuAD 1.1 says nothing about possibility.
  const possible = squad("Birds sing.", { is_impossible: false, answers: plausible });
  assert.deepEqual(parseQuestionAnswers(possible)[0].answers, [{ text: "Birds", begin: 0 }]);
});

Deno.test("answer_start counts characters as Python does: behind an emoji, JavaScript's are more", () => {
  const context = "🐦🐦 birds 𝄞 sing";
  const at = [...context].lastIndexOf("s");
  const [{ answers }] = parseQuestionAnswers(
    squad(context, { answers: [{ text: "sing", answer_start: at }] }),
  );
  assert.equal(context.slice(answers[0].begin), "sing");
  assert.notEqual(answers[0].begin, at);
});

Deno.test("what is broken is told with its question", () => {
  const answer = (text: unknown, answer_start: unknown) =>
    squad("Birds sing.", { answers: [{ text, answer_start }] });
  refused(
    answer("Birds", 6),
    /a\.json: in question "q", the answer "Birds" should be at 6, .*"sing/,
  );
  refused(answer("sing.", 7), /"sing\." at 7 is outside its context of 11 characters/);
  refused(answer("Birds", -1), /at -1 is outside its context/);
  refused(answer("Birds", "0"), /at "0" is outside its context/);
  refused(answer("", 0), /in question "q", text is ""/);
  refused(
    squad("Birds sing.", { answers: [] }),
    /there is no answer; wanted one, or is_impossible/,
  );
  refused(squad("Birds sing.", {}), /answers is absent, wanted a list of objects/);
  refused(squad(" ", {}), /in paragraph 1 of article 1, context is " "/);
  refused({ data: [{ paragraphs: [] }] }, /it holds no question/);
  refused({ data: 3 }, /data is 3, wanted a list of objects/);
  refused({}, /data is absent/);
});

Deno.test("questions that only are asked need no answers, in SQuAD's JSON or a record a line", async () => {
  using made = folder({
    "a.json": JSON.stringify(squad("Birds sing.", {})),
    "a.jsonl": '{"question": "Who?", "context": "Birds sing."}\n\n' +
      '{"id": 7, "question": "Where?", "context": "In Rome."}\n',
    "broken.jsonl": '{"question": "Who?", "context": "Birds sing."}\n{"question": "Where?"}\n',
  });
  const [{ question, context, id }] = await readQuestions(made.at("a.json"));
  assert.deepEqual([id, question, context], ["q", "Who?", "Birds sing."]);
  await rejects(readQuestionAnswers(made.at("a.json")), /in question "q", answers is absent/);
  assert.deepEqual(await readQuestions(made.at("a.jsonl")), [
    { id: "1", question: "Who?", context: "Birds sing." },
    { id: "7", question: "Where?", context: "In Rome." },
  ]);
  await rejects(readQuestions(made.at("broken.jsonl")), /broken\.jsonl: line 2, context is absent/);
});
