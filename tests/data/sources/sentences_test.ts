/**
 * Sentences: where they end, by either rule, and that no document's are on both sides.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Document } from "../../../src/data/sources/documents.ts";
import { encodeSentences } from "../../../src/data/pretraining/sentence_corpus.ts";
import { splitSentences } from "../../../src/data/sources/sentences.ts";
import { rejects } from "../files.ts";

Deno.test("Unicode's sentences, with abbreviations and quoted questions mended", () => {
  const text = 'Mr. Smith met Dr. Jones at 3 p.m. on\nFriday. "Is it so?" he asked.  J. R. Ewing ' +
    "came...\n\nA title\n \nThen it rained! The U.S. Senate voted.\n";
  assert.deepEqual(splitSentences(text, "segmenter"), [
    "Mr. Smith met Dr. Jones at 3 p.m. on Friday.",
    '"Is it so?" he asked.',
    "J. R. Ewing came...",
    "A title",
    "Then it rained!",
    "The U.S. Senate voted.",
  ]);
});

Deno.test("a line is a sentence, blank ones are none, and nothing gets lost by either rule", () => {
  assert.deepEqual(splitSentences(" one. two.\r\n\n \nthree\tfour\n", "lines"), [
    "one. two.",
    "three four",
  ]);
  const text = 'no stop "at all" St. 5. .. ! e.g. i.e. the end\nof it. 第一句。第二句！ ...and on';
  for (const rule of ["lines", "segmenter"] as const) {
    const bare = (s: string): string => s.replace(/\s/g, "");
    assert.equal(bare(splitSentences(text, rule).join("")), bare(text));
  }
  assert.deepEqual(splitSentences("第一句。第二句！", "segmenter"), ["第一句。", "第二句！"]);
  assert.deepEqual(splitSentences(" \n\n", "segmenter"), []);
});

/** Documents of which every word has an id of its own. */
async function* documents(count: number): AsyncGenerator<Document> {
  for (let d = 0; d < count; d++) {
    const lines = Array.from({ length: 1 + d % 7 }, (_, s) => `${1000 * d + s} ${1000 * d + s}`);
    yield { id: `${d}`, text: lines.join("\n") + "\n" };
  }
}

const encode = (sentence: string): number[] =>
  sentence.split(" ").map(Number).filter((n) => Number.isInteger(n));

Deno.test("every sentence is kept in its document, and no document is on both sides", async () => {
  const options = { encode, rule: "lines" as const, validationFraction: 0.2 };
  const { train, validation } = await encodeSentences(documents(197), options);
  const seen = new Map<number, string>();
  for (const [side, corpus] of Object.entries({ train, validation })) {
    const { ids, sentences, documents } = corpus;
    assert.equal(sentences.at(-1), ids.length);
    assert.equal(documents.at(-1), sentences.length - 1);
    for (let d = 0; d + 1 < documents.length; d++) {
      const inside = Array.from(ids.subarray(sentences[documents[d]], sentences[documents[d + 1]]));
      const number = Math.floor(inside[0] / 1000);
      assert.ok(!seen.has(number), `document ${number} again`);
      seen.set(number, side);
      const wanted = Array.from({ length: 1 + number % 7 }, (_, s) => 1000 * number + s);
      assert.deepEqual(inside, wanted.flatMap((id) => [id, id]));
      assert.equal(documents[d + 1] - documents[d], wanted.length);
    }
  }
  assert.equal(seen.size, 197);
  const held = [...seen.values()].filter((side) => side === "validation").length;
  assert.ok(held > 20 && held < 60, `${held} of 197 held out`);
});

Deno.test("what has no token is left out, and a text without any is refused", async () => {
  async function* texts(...all: string[]): AsyncGenerator<Document> {
    for (const text of all) yield { id: text, text };
  }
  const options = { encode, rule: "lines" as const, validationFraction: 0 };
  const { train, validation } = await encodeSentences(texts("x\n5 6\ny", "z", "7\n8"), options);
  assert.deepEqual([...train.ids], [5, 6, 7, 8]);
  assert.deepEqual([...train.sentences], [0, 2, 3, 4]);
  assert.deepEqual([...train.documents], [0, 1, 3]);
  assert.deepEqual([...validation.sentences, ...validation.documents], [0, 0]);
  await rejects(
    encodeSentences(texts("x"), options),
    /Cannot train on this text: it has no sentence/,
  );
});
