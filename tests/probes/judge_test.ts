/** Questions in words: the metric of every kind of head, against its logits. @module */
import assert from "node:assert/strict";
import {
  Bert,
  type BertHeadsSettings,
  checkSameLength,
  createBertConfig,
  createGptConfig,
  Gpt,
  judge,
  type Judged,
  openDevice,
  type ProbedText,
  ProbeSubject,
  QuestionAnswerer,
  runWithHooks,
  trainCharacterTokenizer,
  VitrailError,
} from "../../mod.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";
import { assertEach } from "../kernels/checks.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const size = { contextLength: 13, channels: 24, layers: 1, heads: 2 };
const labels = ["good", "bad", "dull"];

function bert(heads: BertHeadsSettings): ProbeSubject {
  const config = createBertConfig({ ...size, vocabularySize: PIECES.length });
  return new ProbeSubject(
    new Bert(device, { ...config, initializerRange: 0.2 }, { heads }),
    tinyTokenizer(),
  );
}

async function gpt(): Promise<ProbeSubject> {
  const tokenizer = await trainCharacterTokenizer(["abcde \n"]);
  const config = createGptConfig({ ...size, vocabularySize: tokenizer.vocabularySize });
  return new ProbeSubject(new Gpt(device, { ...config, initializerRange: 0.2 }), tokenizer);
}

/** What a metric says to texts, and the logits of each: (…, V) rows. */
async function answer(subject: ProbeSubject, texts: ProbedText[], { metric }: Judged) {
  const logits = runWithHooks(subject.model, subject.input(texts), { hooks: [] });
  const [data, shape] = [await logits.read() as Float32Array, logits.shape];
  const [V, T] = [shape.at(-1)!, shape.length > 2 ? shape[1] : 1];
  const row = (b: number, t: number) => data.slice((b * T + t) * V, (b * T + t + 1) * V);
  return { values: metric.values({ data, shape }), row };
}

const top = (row: Float32Array): number => row.indexOf(Math.max(...row));
const logSoftmax = (row: Float32Array, i: number): number =>
  row[i] - Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));

Deno.test("a GPT is judged at the last token of each text, by its own answer if none is given", async () => {
  const subject = await gpt();
  const texts = [subject.encode("abcd"), subject.encode("ab")];
  const own = await judge(subject, texts);
  const said = await answer(subject, texts, own);
  const rows = [said.row(0, 3), said.row(1, 1)];
  assert.deepEqual(
    own.answers.map(({ right }) => right),
    rows.map((row) => subject.token(top(row))),
  );
  const wanted = rows.map((row) => logSoftmax(row, top(row)));
  assertEach(said.values, wanted, { absolute: 1e-5, label: "log probability" });
  const questions = [{ right: "d", wrong: "e" }, { right: "c", wrong: "a", place: 0 }];
  const given = await judge(subject, texts, { questions });
  const { values, row } = await answer(subject, texts, given);
  const id = (word: string) => subject.answer(word);
  const differences = [
    row(0, 3)[id("d")] - row(0, 3)[id("e")],
    row(1, 0)[id("c")] - row(1, 0)[id("a")],
  ];
  assertEach(values, differences, { absolute: 1e-6, label: "difference" });
});

Deno.test("without a wrong answer, the one to the other text is taken if it is another", async () => {
  const subject = await gpt();
  const [text, other] = [subject.encode("abcd"), subject.encode("eacb")];
  const own = await answer(subject, [other], await judge(subject, [other]));
  const likely = subject.token(top(own.row(0, 3)));
  const right = likely === "b" ? "c" : "b";
  const compared = await judge(subject, [text], { questions: [{ right }], against: [other] });
  assert.deepEqual(compared.answers, [{ right, wrong: likely, place: 3 }]);
  const same = await judge(subject, [text], { questions: [{ right: likely }], against: [other] });
  assert.equal(same.metric.name, "log probability, in nats");
});

Deno.test("a masked token, a class, a tag and a span", async () => {
  const masked = bert({ kind: "masked-language" });
  const gap = [masked.encode("ab [MASK] c")];
  const guess = await judge(masked, gap, { questions: [{ right: "c" }], metric: "logit" });
  const said = await answer(masked, gap, guess);
  assert.deepEqual(guess.answers[0].place, 3);
  assertEach(said.values, [said.row(0, 3)[PIECES.indexOf("c")]], { absolute: 0, label: "masked" });

  const classifier = bert({ kind: "sequence-classification", labels, labelKind: "single" });
  const texts = [classifier.encode("ab c"), classifier.encode("d")];
  const dull = await judge(classifier, texts, {
    questions: texts.map(() => ({ right: "dull" })),
    metric: "logit",
  });
  const classes = await answer(classifier, texts, dull);
  assertEach(classes.values, [0, 1].map((b) => classes.row(b, 0)[2]), {
    absolute: 0,
    label: "class",
  });

  const tagger = bert({ kind: "token-classification", labels });
  const words = [tagger.encode("ab c")];
  const tag = await judge(tagger, words, { questions: [{ place: -2 }], metric: "logit" });
  const tags = await answer(tagger, words, tag);
  assert.equal(tag.answers[0].right, labels[top(tags.row(0, 3))]);
  assertEach(tags.values, [Math.max(...tags.row(0, 3))], { absolute: 0, label: "tag" });

  const reader = bert({ kind: "question-answering" });
  const pair = [reader.encode("ab", "c ab d")];
  const span = await judge(reader, pair);
  const spans = await answer(reader, pair, span);
  // [CLS] a ##b [SEP] c a ##b d [SEP]: the answer lies in the second text.
  let best = -Infinity;
  for (let begin = 4; begin < 8; begin++) {
    for (let end = begin; end < 8; end++) {
      best = Math.max(best, spans.row(0, begin)[0] + spans.row(0, end)[1]);
    }
  }
  assertEach(spans.values, [best], { absolute: 1e-6, label: "span" });
});

Deno.test("an answerer is judged by the span that `answer` gives, to the character", async () => {
  const config = createBertConfig({ ...size, contextLength: 96, vocabularySize: PIECES.length });
  const model = new Bert(device, { ...config, initializerRange: 0.6 }, {
    heads: { kind: "question-answering" },
  });
  const reader = new ProbeSubject(model, tinyTokenizer());
  const words = ["ab", "A", "c,", "D .", " b", "cab", "[SEP]", "é"];
  const questions = Array.from({ length: 24 }, (_, i) => ({
    id: String(i),
    question: "ab c",
    // 40 tokens and more: some of the best spans are longer than an answer may be.
    context: Array.from({ length: 40 }, (_, w) => words[(w * w + 3 * i * w + i) % 8]).join(" "),
  }));
  const answered = await new QuestionAnswerer(model, tinyTokenizer()).answer(questions);
  const pairs = questions.map(({ question, context }) => reader.encode(question, context));
  const { answers } = await judge(reader, pairs);
  assert.deepEqual(answers.map(({ right }) => right), answered.map(({ best }) => best.text));
  const [empty] = [reader.encode("ab", " ")];
  await assert.rejects(judge(reader, [empty]), /Cannot judge an answer in " ": it has no words/);
});

Deno.test("questions without an answer are told", async () => {
  const [masked, tagger] = [
    bert({ kind: "masked-language" }),
    bert({ kind: "token-classification", labels }),
  ];
  const refuse = (subject: ProbeSubject, text: string, message: RegExp, question = {}) =>
    assert.rejects(
      judge(subject, [subject.encode(text)], { questions: [question] }),
      (error: Error) => error instanceof VitrailError && message.test(error.message),
    );
  await refuse(masked, "ab", /it has 0 \[MASK\]; wanted one/);
  await refuse(tagger, "ab", /which place of "ab" answers/);
  await refuse(tagger, "ab", /the label "Z": this model has good, bad, dull/, {
    right: "Z",
    place: 1,
  });
  const text = [masked.encode("ab [MASK]")];
  await assert.rejects(judge(masked, text, { metric: "logit-difference" }), /with one answer/);
  assert.throws(
    () => checkSameLength(masked.encode("ab"), masked.encode("ab c")),
    /4 and 5 tokens: "\[CLS\]" "a" "##b" "\[SEP\]" and "\[CLS\]" "a" "##b" "c" "\[SEP\]"/,
  );
});
