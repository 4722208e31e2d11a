/** Pairs of texts get the logits that the pipeline of `transformers` gives them, whole and cut. @module */

import assert from "node:assert/strict";
import {
  Bert,
  bertSequenceClassifier,
  createBertConfig,
  encodeTexts,
  loadSequenceClassifier,
  loadTokenizer,
  openDevice,
  sequenceFormat,
  TextClassifier,
  type TextInput,
} from "../../mod.ts";
import { JsonTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { assertClose } from "../compare.ts";

const fixture = new URL("../fixtures/pairs", import.meta.url).pathname;
const expected = JSON.parse(Deno.readTextFileSync(`${fixture}/logits.json`));
const inputs: TextInput[] = expected.inputs;
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

/** A classifier whose scores are its logits. */
async function logitsFinder(name: "bert" | "gpt", template?: string): Promise<TextClassifier> {
  const model = loadSequenceClassifier(device, `${fixture}/${name}`);
  const tokenizer = await loadTokenizer(`${fixture}/${name}`);
  const json = tokenizer.toJson() as Record<string, unknown>;
  return new TextClassifier(
    { ...model, labelKind: "number" },
    template === undefined ? tokenizer : new JsonTokenizer({
      ...json,
      post_processor: expected.post_processors[template],
    }),
  );
}

for (
  const [name, family] of [["bert"], ["gpt", "plain"], ["gpt", "template"], ["gpt", "roberta"]]
) {
  const key = family === undefined ? name : `${name}.${family}`;
  Deno.test(`texts and pairs side by side: ${key}`, async () => {
    const classifier = await logitsFinder(name as "bert" | "gpt", family);
    for (const [limit, rows] of Object.entries(expected[key] as Record<string, number[][]>)) {
      const found = await classifier.classify(inputs, {
        batch: inputs.length,
        limit: Number(limit),
      });
      const logits = found.flatMap(({ labels }) => labels.map(({ score }) => score));
      // Measured 2.2e-7 at most.
      assertClose(logits, rows.flat(), { bound: 2e-6, label: `at most ${limit} tokens` });
    }
  });
}

Deno.test("a pair is no text: without its segments and its second text, logits differ", async () => {
  const classifier = await logitsFinder("bert");
  const [pair, alone] = await classifier.classify([inputs[1], inputs[1][0]]);
  assert.ok(Math.abs(pair.labels[0].score - alone.labels[0].score) > 0.1);
});

Deno.test("windows divide the longer text of a pair, and the other one stands in each", async () => {
  const tokenizer = await loadTokenizer(`${fixture}/bert`);
  const format = sequenceFormat(tokenizer, { family: "bert", padId: 0, limit: 14 });
  const [cat, who] = ["a cat sits .", "who what where"].map((text) => tokenizer.encode(text));
  const long = "the dog runs in the park , no one runs in the park .";
  const texts: TextInput[] = [["a cat sits .", long], [long, "who what where"], [long, long]];
  const { sequences, segments, texts: of, long: longer, cut } = encodeTexts(texts, tokenizer, {
    ...format,
    longTexts: "windows",
  });
  assert.deepEqual(longer, [true, true, true]);
  assert.deepEqual(cut, [false, false, true]);
  assert.deepEqual(of, [0, 0, 1, 1, 2, 2, 2]);
  const ids = tokenizer.encode(long);
  const whole = [...sequences[0]].slice(cat.length + 2, -1);
  assert.deepEqual(whole, [...ids.subarray(0, 7)]);
  assert.deepEqual([...sequences[1]].slice(cat.length + 2, -1), [...ids.subarray(ids.length - 7)]);
  assert.deepEqual([...sequences[2]].slice(-4, -1), [...who]);
  assert.deepEqual([...segments[2]!], [...new Array(10).fill(0), ...new Array(4).fill(1)]);
  assert.ok(sequences.every(({ length }) => length === 14));
});

Deno.test("a BERT with one segment reads no pairs, and says so", async () => {
  const tokenizer = await loadTokenizer(`${fixture}/bert`);
  const size = { contextLength: 16, channels: 8, layers: 1, heads: 1 };
  const config = createBertConfig({ ...size, vocabularySize: tokenizer.vocabularySize }, {
    segments: 1,
  });
  const heads = {
    kind: "sequence-classification" as const,
    labels: ["a", "b"],
    labelKind: "single" as const,
  };
  const model = bertSequenceClassifier(new Bert(device, config, { heads }));
  const classifier = new TextClassifier(model, tokenizer);
  assert.equal((await classifier.classify(["a cat"])).length, 1);
  await assert.rejects(
    classifier.classify([["a cat", "a dog"]]),
    /Cannot read pairs of texts with this BERT: it has one segment \(type_vocab_size\)/,
  );
});
