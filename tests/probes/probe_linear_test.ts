/** From labelled data to a report: questions, baselines, the untrained model, the page. @module */

import assert from "node:assert/strict";
import {
  Bert,
  classQuestion,
  createBertConfig,
  createGptConfig,
  Gpt,
  mostFrequentTags,
  openDevice,
  probeLinear,
  ProbeSubject,
  scoreTags,
  tagQuestion,
  trainCharacterTokenizer,
} from "../../mod.ts";
import { holdOut } from "../../src/data/hold_out.ts";
import { randomOf } from "../../src/data/random.ts";
import type { TaggedSentence } from "../../src/data/tags/tagged_sentences.ts";
import { linearPage } from "../../src/probes/linear/page.ts";
import { probePage } from "../../src/probes/probe_page.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const WORDS = ["A", "b", "c", "d", "ab", "cd", "1", "2", ".", "'"];
const size = { contextLength: 14, channels: 36, layers: 1, heads: 3 };
const characters = await trainCharacterTokenizer([WORDS.join(" ")]);
const subjects = {
  GPT: new ProbeSubject(
    new Gpt(device, createGptConfig({ ...size, vocabularySize: characters.vocabularySize })),
    characters,
  ),
  BERT: new ProbeSubject(
    new Bert(device, createBertConfig({ ...size, vocabularySize: PIECES.length }), {
      heads: { kind: "none" },
    }),
    tinyTokenizer(),
  ),
};

/** Sentences of words whose tags tell what they are, but for one in six that is anything. */
const random = randomOf(3);
const SENTENCES: TaggedSentence[] = Array.from({ length: 300 }, (_, i) => {
  const tokens = Array.from(
    { length: 2 + i % 9 },
    () => WORDS[Math.floor(random() * WORDS.length)],
  );
  const tags = tokens.map((word) => {
    if (random() < 1 / 6) return ["L", "N", "P"][Math.floor(random() * 3)];
    return /\w/.test(word) ? (/\d/.test(word) ? "N" : "L") : "P";
  });
  return { id: `s${i}`, tokens, tags, group: `document ${i % 50}` };
});

for (const [family, subject] of Object.entries(subjects)) {
  Deno.test(`${family}: tags become a question whose examples are words in their sequences`, async () => {
    const question = await tagQuestion(subject, SENTENCES, {
      examples: 500,
      heldOut: 150,
      seed: 5,
    });
    assert.deepEqual(question.labels, ["L", "N", "P"]);
    const sides = await holdOut(SENTENCES, 0.2);
    const known = { train: sides.train, heldOut: sides.validation };
    for (const [name, most] of [["train", 500], ["heldOut", 150]] as const) {
      const { sequences, labels, types } = question[name];
      assert.ok(labels.length >= most && labels.length < most + 10, `${labels.length}`);
      assert.equal(types.length, labels.length);
      assert.equal(sequences.reduce((sum, { places }) => sum + places.length, 0), labels.length);
      // Together, sentence by sentence, they are words with tags that occur on this side.
      const pairs = new Set(
        known[name].flatMap(({ tokens, tags }) =>
          tokens.map((token, w) => `${token.toLowerCase()} ${tags[w]}`)
        ),
      );
      types.forEach((type, i) => assert.ok(pairs.has(`${type} ${question.labels[labels[i]]}`)));
      let at = 0;
      for (const { ids, places } of sequences) {
        for (const place of places) {
          const token = subject.token(ids[place]).trim();
          // What a GPT's characters begin with behind a word is the blank before the next.
          if (token !== "") assert.equal(token.toLowerCase(), types[at][0]);
          at++;
        }
      }
    }
  });

  Deno.test(`${family}: a report counts right, and an untrained model is probed beside`, async () => {
    const before = device.pool.memory.liveBytes;
    const piece = "last";
    const question = await tagQuestion(subject, SENTENCES, {
      examples: 2000,
      heldOut: 2000,
      piece,
    });
    const result = await probeLinear(subject.model, question, { steps: 120, learningRate: 0.05 });
    const { train, heldOut, baselines, layers, random, seen } = result;
    assert.equal(heldOut.labels.reduce((a, b) => a + b, 0), heldOut.examples);
    assert.equal(train.types, 10);
    assert.equal(seen, 1);
    const sides = await holdOut(SENTENCES, 0.2);
    const lookup = scoreTags(
      sides.validation.map(({ tags }) => tags),
      mostFrequentTags(sides.train, sides.validation),
    );
    assert.ok(Math.abs(baselines.type - lookup.accuracy) < 1e-12);
    const shares = heldOut.labels.map((n) => n / heldOut.examples);
    assert.equal(baselines.majority, shares[0]);
    // Ten words tell all that can be known of tags: a probe finds it, and none finds more.
    assert.ok(Math.abs(layers[0].accuracy - baselines.type) < 0.06, `${layers[0].accuracy}`);
    assert.deepEqual(random!.map(({ point }) => point), layers.map(({ point }) => point));
    assert.notDeepEqual(random, layers);
    const html = probePage(linearPage(result, { model: "<m>", data: "d" }));
    assert.ok(html.includes("&lt;m&gt;") && !html.includes("<m>"));
    assert.ok(html.includes(`${(100 * layers[1].control).toFixed(1)} %`));
    assert.ok(device.pool.memory.liveBytes - before < 100_000);
  });

  Deno.test(`${family}: classes of texts, of which the mean is probed and special tokens are not`, async () => {
    const texts = Array.from({ length: 240 }, (_, i) => {
      const label = ["letters", "numbers"][i % 2];
      const words = i % 2 ? ["1", "2", "1"] : ["a", "b", "c", "d"];
      const text = Array.from({ length: 3 + i % 19 }, (_, w) => words[(w * w + i) % words.length]);
      return { text: text.join(" "), label, group: `${i >> 1}` };
    });
    const question = await classQuestion(subject, texts, { examples: 1000 });
    assert.deepEqual([question.labels, question.pooling], [["letters", "numbers"], "mean"]);
    const { sequences, types } = question.train;
    assert.ok(sequences.every(({ ids }) => ids.length <= size.contextLength));
    sequences.forEach(({ ids, places }, i) => {
      const tokens = Array.from(places, (place) => subject.token(ids[place]));
      assert.equal(tokens[0], types[i]);
      assert.equal(tokens.length, ids.length - (family === "BERT" ? 2 : 0));
    });
    const { layers, random } = await probeLinear(subject.model, question, {
      steps: 60,
      learningRate: 0.05,
      random: false,
    });
    assert.equal(random, undefined);
    for (const { accuracy } of layers) assert.equal(accuracy, 1);
    await assert.rejects(
      classQuestion(subject, texts.filter(({ label }) => label === "letters")),
      /Cannot probe for classes: every text is letters; wanted two at least/,
    );
  });
}
