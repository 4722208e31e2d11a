/** A BERT learns to tag; what it says is the same alone, in a batch and from a file. @module */

import assert from "node:assert/strict";
import {
  Bert,
  createBertConfig,
  loadQuestionAnswerer,
  loadTagger,
  openDevice,
  saveBert,
  tagBatch,
  Tagger,
  tagNumbers,
  tagSequences,
  tokenClassification,
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

/** A word's tag is the number of its pieces, but for the word behind a comma: that one is R. */
function tagged(words: string[]) {
  const tags = words.map((word, i) => words[i - 1] === "," ? "R" : word.length > 1 ? "M" : "S");
  return { id: words.join(" "), tokens: words, tags };
}

Deno.test("a tagger learns tags that depend on later pieces and on neighbours", async () => {
  const tags = ["M", "R", "S"];
  const heads = { kind: "token-classification" as const, labels: tags };
  const bert = new Bert(device, config, { heads });
  const some = ["a b , ab , c d", "ab , a cd d", ", b cd , ab a", "d a , bc , dd", "a , cd d ."]
    .map((text) => tagged(text.split(" ")));
  const { sequences } = tagSequences(some.map(({ tokens }) => tokens), sizes);
  const numbers = tagNumbers(some, tags);
  const batch = tagBatch(sequences, (s) => numbers[s], sizes);
  const trainer = new Trainer(tokenClassification(bert));
  for (let step = 0; step < 60; step++) {
    trainer.step([batch], 3e-3);
    if (trainer.full) await trainer.figures();
  }
  const { loss } = (await trainer.figures()).at(-1)!;
  assert.ok(loss < 0.1, `loss ${loss}`);
  const tagger = new Tagger(bert, tokenizer);
  const found = await tagger.tagWords(some.map(({ tokens }) => tokens), { batch: 3, topK: 3 });
  assert.deepEqual(found.map((words) => words.map(({ tag }) => tag)), some.map((s) => s.tags));
  for (const { tag, score, tags: all } of found.flat()) {
    assert.deepEqual(all![0], { tag, score });
    assert.ok(Math.abs(all!.reduce((sum, t) => sum + t.score, 0) - 1) < 1e-6);
    assert.ok(all![1].score >= all![2].score);
  }
  // Alone, the last without any padding, each word has the score that it has in the batch.
  for (const [i, { tokens }] of some.entries()) {
    const [alone] = await tagger.tagWords([tokens]);
    const scores = (words: { score: number }[]) => words.map(({ score }) => score);
    assertClose(scores(alone), scores(found[i]), { bound: 1e-5, label: tokens.join(" ") });
  }
  // A sentence that is longer than the context has a tag for every word.
  const long = Array.from({ length: 50 }, (_, i) => ["ab", "c", ",", "d"][i % 4]);
  const [every] = await tagger.tagWords([long]);
  assert.deepEqual(every.map(({ word }) => word), long);
  assert.ok(every.every(({ tag }) => tags.includes(tag)));
  // A text: places in it, and the same tags as its words have.
  const [[sentence]] = await tagger.tagTexts(["  ab, a cd\n d"]);
  assert.deepEqual(sentence.map(({ begin }) => begin), [2, 4, 6, 8, 12]);
  assert.deepEqual(sentence.map(({ tag }) => tag), tagged(["ab", ",", "a", "cd", "d"]).tags);
  await assert.rejects(tagger.tagTexts(["a", " "]), /Cannot tag text 2: it has no word/);
  // From its directory the same.
  const folder = Deno.makeTempDirSync();
  await saveBert(bert, folder);
  Deno.writeTextFileSync(`${folder}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
  const again = await (await loadTagger(device, folder)).tagWords([some[0].tokens], { topK: 3 });
  assertClose(again[0].map((w) => w.score), found[0].map((w) => w.score), {
    bound: 1e-5,
    label: "from its directory",
  });
  await assert.rejects(loadQuestionAnswerer(device, folder), /head is for token-classification/);
  Deno.removeSync(folder, { recursive: true });
});
