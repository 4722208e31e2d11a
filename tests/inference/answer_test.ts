/** A BERT learns to find answers; what it says is the same alone, in a batch and in windows. @module */

import assert from "node:assert/strict";
import {
  answerBatch,
  answerWindows,
  Bert,
  createBertConfig,
  openDevice,
  QuestionAnswerer,
  questionAnswering,
  Tagger,
  Trainer,
} from "../../mod.ts";
import { assertClose } from "../compare.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const tokenizer = tinyTokenizer();
const sizes = { tokenizer, contextLength: 19, padId: 0 };
const config = createBertConfig({
  vocabularySize: PIECES.length,
  contextLength: 19,
  channels: 36,
  layers: 2,
  heads: 3,
}, { hiddenDropout: 0, initializerRange: 0.2 });

Deno.test("an answerer learns spans, over windows too, and when there is none", async () => {
  const bert = new Bert(device, config, { heads: { kind: "question-answering" } });
  // Asked `who`, the letters behind 1; asked `where`, those behind 2; what is behind 3 nobody asks for.
  const ask = (question: string, context: string, text: string) => ({
    id: `${question} ${context}`,
    question,
    context,
    answers: text === "" ? [] : [{ text, begin: context.indexOf(text) }],
  });
  const questions = [
    ask("who", "a 1 bc d . 2 ab . 3 c", "bc"),
    ask("where", "a 1 bc d . 2 ab . 3 c", "ab"),
    ask("who", "2 d a . d c 1 a . c", "a ."),
    ask("where", "2 da . d c 1 a . c", "da"),
    ask("who", "a b 2 c d . c", ""),
    ask("where", "3 d b . b c a 1 d", ""),
    ask("where", "a b c d a b c d a b c d a b c d . 2 cd . b c a d", "cd"),
  ];
  questions[2].answers = [{ text: "a", begin: questions[2].context.indexOf("1 a") + 2 }];
  const { windows } = answerWindows(questions, { ...sizes, stride: 5 });
  assert.ok(windows.length > questions.length);
  const batch = answerBatch(windows, sizes);
  const trainer = new Trainer(questionAnswering(bert));
  for (let step = 0; step < 90; step++) {
    trainer.step([batch], 3e-3);
    if (trainer.full) await trainer.figures();
  }
  const { loss } = (await trainer.figures()).at(-1)!;
  assert.ok(loss < 0.1, `loss ${loss}`);
  const answerer = new QuestionAnswerer(bert, tokenizer);
  const options = { stride: 5, threshold: 0, topK: 4, batch: 8 };
  const found = await answerer.answer(questions, options);
  const wanted = questions.map(({ answers }) => answers[0]?.text ?? "");
  assert.deepEqual(found.map(({ best }) => best.text), wanted);
  found.forEach(({ best, answers, span, doubt }, q) => {
    const { context } = questions[q];
    for (const { text, begin, end } of answers) assert.equal(context.slice(begin, end), text);
    assert.deepEqual(answers[0], best);
    assert.equal(doubt > 0, best.text === "");
    assert.notEqual(span.text, "");
    const [first, ...rest] = answers.map(({ score }) => score);
    assert.ok(
      rest.every((score) => score <= first) && first <= 1,
      answers.map((a) => a.score).join(),
    );
  });
  // Where there has to be an answer, the best span is one.
  const spans = await answerer.answer(questions, { stride: 5 });
  assert.deepEqual(spans.map(({ best }) => best.text), found.map(({ span }) => span.text));
  // A threshold that nothing exceeds does the same; one that all exceed leaves all unanswered.
  const bold = await answerer.answer(questions, { ...options, threshold: 1e6 });
  assert.deepEqual(bold.map(({ best }) => best.text), spans.map(({ best }) => best.text));
  assert.ok(bold[4].answers[1].text === "", "no answer is likely, and comes next");
  const shy = await answerer.answer(questions, { ...options, threshold: -1e6 });
  assert.ok(shy.every(({ best }) => best.text === ""));
  const [alone] = await answerer.answer([questions[1]], options);
  // Its 16 tokens are no padding alone, and three of 19 in the batch.
  assertClose([alone.doubt], [found[1].doubt], { bound: 1e-4, label: "alone and padded" });
  assert.throws(() => new Tagger(bert, tokenizer), /its head is for question-answering/);
});
