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

/** A question on one context, as `datasets` has it in each row. */
const row = (id: string, fields: Record<string, unknown> = {}) => ({
  id,
  title: "Birds",
  context: "🐦 birds 𝄞 sing in the morning.",
  question: "What do they do?",
  answers: { text: ["sing", "sing in the morning"], answer_start: [10, 10] },
  ...fields,
});

Deno.test("rows of datasets: a line each, a list, under data, with lists of answers or none", async () => {
  const rows = [
    row("a"),
    row("b", { answers: { text: [], answer_start: [] } }),
    row("c", { answers: [{ text: "birds", answer_start: 2 }] }),
    row("d", { answers: { text: "morning", answer_start: 22 }, title: undefined }),
    row("e", { answers: undefined, "answers.text": ["birds"], "answers.answer_start": [2] }),
    row("f", { answers: [], is_impossible: true }),
  ];
  const lines = rows.map((one) => JSON.stringify(one)).join("\n");
  using made = folder({
    "lines.json": lines,
    "lines.jsonl": "\ufeff" + lines.replaceAll("\n", "\r\n\r\n"),
    "list.json": JSON.stringify(rows),
    "pretty.json": JSON.stringify(rows, null, 2),
    "data.json": JSON.stringify({ version: "2.0", data: rows }),
  });
  for (const name of ["lines.json", "lines.jsonl", "list.json", "pretty.json", "data.json"]) {
    const found = await readQuestionAnswers(made.at(name));
    assert.deepEqual(found.map(({ answers }) => answers.map(({ text }) => text).join("|")), [
      "sing|sing in the morning",
      "",
      "birds",
      "morning",
      "birds",
      "",
    ], name);
    for (const { context, answers } of found) {
      for (const { text, begin } of answers) assert.ok(context.startsWith(text, begin));
    }
    assert.deepEqual(found.map(({ id }) => id).join(""), "abcdef");
    assert.equal(found[3].group, found[3].context, "without a title, its context is a document");
    assert.equal((await readQuestions(made.at(name))).length, 6);
  }
});

Deno.test("rows with other names, without ids, of one paragraph; and SQuAD without articles", async () => {
  using made = folder({
    "names.jsonl": '{"passage": "Birds sing.", "query": "Who?", "span": {"text": ["Birds"], ' +
      '"answer_start": [0]}}\n{"passage": "Birds sing.", "query": "What?", "span": []}\n',
    "paragraphs.json": JSON.stringify(
      squad("Birds sing.", { is_impossible: true }).data[0].paragraphs,
    ),
    "one.json": JSON.stringify(row("a")),
  });
  const found = await readQuestionAnswers(made.at("names.jsonl"), {
    contextField: "passage",
    questionField: "query",
    answersField: "span",
  });
  assert.deepEqual(found.map(({ id, answers }) => [id, answers.length]), [["1", 1], ["2", 0]]);
  await rejects(
    readQuestionAnswers(made.at("names.jsonl")),
    /line 1, context is absent; the record has "passage", "query", "span", choose with --context-field/,
  );
  assert.deepEqual((await readQuestionAnswers(made.at("paragraphs.json")))[0].answers, []);
  assert.equal((await readQuestionAnswers(made.at("one.json")))[0].answers.length, 2);
});

Deno.test("what is broken in a row is reported with its line, and how a place was counted", () => {
  const refuse = (fields: Record<string, unknown>, message: RegExp) =>
    refused({ data: [row("a"), row("b", fields)] }, message);
  refuse(
    { answers: { text: ["sing"], answer_start: [] } },
    /record 2, answers has 1 text and 0 ans/,
  );
  refuse(
    { answers: { text: ["sing"], answer_start: [12] } },
    /it was counted in UTF-16 units; wanted/,
  );
  refuse(
    { answers: { text: ["sing"], answer_start: [16] } },
    /it was counted in bytes; wanted a count/,
  );
  refuse({ answers: { text: [""], answer_start: [0] } }, /a question without answer has none/);
  refuse(
    { answers: "sing" },
    /answers is "sing", wanted a list of objects with text and answer_start/,
  );
  refuse({ answers: undefined }, /record 2, answers is absent, wanted a list of objects/);
  refuse({ answers: [], is_impossible: false }, /record 2, there is no answer; wanted one/);
  refuse({ question: 3 }, /record 2, question is 3, wanted a text/);
  refuse({ id: { toString: 1 } }, /record 2, id is \{"toString":1\}, wanted a text or a number/);
  refuse({ id: "a", question: "Who?" }, /the id "a" is another question's too/);
});
