/** Windows over long contexts, and the best span of what a model says about them. @module */

import assert from "node:assert/strict";
import { bestSpans } from "../../../src/data/answers/answer_spans.ts";
import {
  answerBatch,
  type AnswerWindow,
  answerWindows,
} from "../../../src/data/answers/answer_windows.ts";
import { PIECES, tinyTokenizer } from "../pretraining/tiny_bert_tokenizer.ts";

const tokenizer = tinyTokenizer();
const pieces = (ids: Uint32Array) => Array.from(ids, (id) => PIECES[id]).join(" ");
const about = (context: string, text: string, question = "who ?") => ({
  id: "q",
  question,
  context,
  answers: text === "" ? [] : [{ text, begin: context.indexOf(text) }],
});

Deno.test("a short context is one window: segments, the answer's places, the context's offsets", () => {
  const { windows, cutQuestions, lostAnswers } = answerWindows([about("A abc, d.", "abc")], {
    tokenizer,
    contextLength: 29,
  });
  assert.deepEqual([windows.length, cutQuestions, lostAnswers], [1, 0, 0]);
  const [window] = windows;
  assert.equal(pieces(window.ids), "[CLS] who ? [SEP] a a ##b ##c , d . [SEP]");
  assert.deepEqual([...window.segments], [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual([window.begin, window.end, window.contextBegin], [5, 7, 4]);
  assert.deepEqual(window.offsets, [[0, 1], [2, 3], [3, 4], [4, 5], [5, 6], [7, 8], [8, 9]]);
});

Deno.test("windows cover every token, and only those that hold the whole answer ask for it", () => {
  const context = "a b c d a b c d 1 2 a b c";
  const { windows, lostAnswers } = answerWindows([about(context, "1 2")], {
    tokenizer,
    contextLength: 10, // five of them for the context
    stride: 3,
  });
  assert.deepEqual(windows.map(({ ids }) => pieces(ids).split("[SEP] ")[1]), [
    "a b c d a [SEP]",
    "d a b c d [SEP]",
    "c d 1 2 a [SEP]",
    "2 a b c [SEP]",
  ]);
  assert.deepEqual(windows.map(({ begin, end }) => [begin, end]), [[0, 0], [0, 0], [6, 7], [0, 0]]);
  assert.equal(lostAnswers, 0);
  const covered = new Set(windows.flatMap(({ offsets }) => offsets.map(([begin]) => begin)));
  assert.equal(covered.size, 13);
});

Deno.test("what does not fit is counted, or told", () => {
  const long = about("a b c d a b", "b c d a");
  const sizes = { tokenizer, contextLength: 8, stride: 1 };
  assert.equal(answerWindows([long], sizes).lostAnswers, 1);
  const chatty = about("a b", "b", "who who who who who");
  const { cutQuestions, windows } = answerWindows([chatty], { ...sizes, questionLength: 3 });
  assert.equal(cutQuestions, 1);
  assert.ok(pieces(windows[0].ids).startsWith("[CLS] who who who [SEP] a"));
  const refused = (q: ReturnType<typeof about>, options: object, message: RegExp) =>
    assert.throws(() => answerWindows([q], { ...sizes, ...options }), message);
  refused(
    chatty,
    { questionLength: 5 },
    /question has 5, \[CLS\] and \[SEP\] are 3, and none is left/,
  );
  refused(about("\u0007", ""), {}, /its context has no words/);
  refused(about("a", "a", "\u0007"), {}, /its question has no words/);
});

Deno.test("a question without answer asks for [CLS]", () => {
  const { windows } = answerWindows([about("a b", "")], { tokenizer, contextLength: 29 });
  const { begins, ends, shape } = answerBatch(windows, { padId: 0, contextLength: 29 });
  assert.deepEqual([[...begins], [...ends], shape], [[0], [0], [1, 8]]);
});

/** Logits that are -9 but where `at` says. */
const logits = (size: number, at: Record<number, number>) =>
  Array.from({ length: size }, (_, i) => at[i] ?? -9);

/** A window with `count` tokens of one character each from `from` on, behind two others. */
const windowOf = (from: number, count: number): AnswerWindow => ({
  ids: new Uint32Array(count + 3),
  segments: new Uint32Array(count + 3),
  question: 0,
  contextBegin: 2,
  offsets: Array.from({ length: count }, (_, i) => [from + i, from + i + 1]),
  begin: 0,
  end: 0,
});

Deno.test("the best span ends where it begins or later, inside the context, and is not too long", () => {
  const window = windowOf(10, 6);
  const said = (begins: Record<number, number>, ends: Record<number, number>, longest?: number) => {
    const heard = { window, begins: logits(10, begins), ends: logits(10, ends) };
    const [{ begin, end, logit }] = bestSpans([heard], { longest }).spans;
    return [begin, end, logit];
  };
  assert.deepEqual(said({ 3: 5 }, { 5: 4 }), [11, 14, 9]);
  // The end before the begin, in the question, behind the window: each is passed over.
  assert.deepEqual(said({ 5: 5, 3: 1 }, { 4: 8, 6: 1 }), [11, 13, 9]);
  assert.deepEqual(said({ 1: 90, 3: 5 }, { 1: 90, 8: 90, 9: 90, 4: 4 }), [11, 13, 9]);
  // Four tokens may be, three not.
  assert.deepEqual(said({ 2: 5, 4: 1 }, { 5: 5 }, 4), [10, 14, 10]);
  assert.deepEqual(said({ 2: 5, 4: 1 }, { 5: 5 }, 3), [12, 14, 6]);
});

Deno.test("over windows: each span once with its best logit, no answer by the lowest", () => {
  const heard = [
    { window: windowOf(0, 5), begins: logits(8, { 0: 3, 4: 5 }), ends: logits(8, { 0: 2, 5: 5 }) },
    { window: windowOf(2, 5), begins: logits(8, { 0: 1, 2: 6 }), ends: logits(8, { 0: 1, 3: 5 }) },
  ];
  const { spans, none } = bestSpans(heard, { best: 3 });
  assert.equal(none, 2);
  assert.deepEqual(spans[0], { begin: 2, end: 4, logit: 11 });
  assert.equal(new Set(spans.map(({ begin, end }) => `${begin} ${end}`)).size, 3);
});

Deno.test("the n best spans are those of a search through all of them, sorted", () => {
  const size = 24;
  const window = windowOf(0, size);
  const random = (seed: number) =>
    Array.from({ length: size + 3 }, (_, i) => Math.sin(seed + i * i));
  const [begins, ends] = [random(1), random(2)];
  const all = [];
  for (let b = 0; b < size; b++) {
    for (let e = b; e < Math.min(size, b + 7); e++) {
      all.push({ begin: b, end: e + 1, logit: begins[2 + b] + ends[2 + e] });
    }
  }
  all.sort((a, b) => b.logit - a.logit);
  const { spans } = bestSpans([{ window, begins, ends }], { best: 5, longest: 7 });
  assert.deepEqual(spans, all.slice(0, 5));
});
