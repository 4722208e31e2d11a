/**
 * Pairs: half are real, within documents; their seams, lengths and ends; nothing tells them apart.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { SentenceCorpus } from "../../../src/data/pretraining/sentence_corpus.ts";
import { drawPairs, type PairPlan } from "../../../src/data/pretraining/sentence_pairs.ts";
import { VitrailError } from "../../../src/errors.ts";
import { deviations, makeCorpus } from "./pretraining_cases.ts";

const SEQUENCE = 61;

/** Each pair's segments and label. */
function* pairsOf({ count, ranges, labels }: PairPlan) {
  for (let i = 0; i < count; i++) {
    const [begin1, end1, begin2, end2] = ranges.subarray(4 * i, 4 * i + 4);
    yield { begin1, end1, begin2, end2, label: labels[i] };
  }
}

/** The document that a token is in. */
function documentOf({ documents, sentences }: SentenceCorpus, token: number): number {
  return documents.findLastIndex((first) => sentences[first] <= token);
}

const sizes = Array.from({ length: 97 }, (_, i) => 2 + (i * 29) % 53);
const corpus = makeCorpus(sizes);

Deno.test("half of the pairs follow one another, the others are of two documents", () => {
  let [count, real] = [0, 0];
  for (let epoch = 0; epoch < 5; epoch++) {
    const plan = drawPairs(corpus, { sequence: SEQUENCE, epoch, seed: 3 });
    for (const { end1, begin2, label } of pairsOf(plan)) {
      count++;
      const [first, second] = [documentOf(corpus, end1 - 1), documentOf(corpus, begin2)];
      if (label === 0) {
        real++;
        assert.equal(begin2, end1);
        assert.equal(first, second);
      } else assert.notEqual(first, second);
    }
  }
  assert.ok(count > 2000, `${count}`);
  assert.ok(Math.abs(deviations(real, count, 0.5)) < 4, `${real} of ${count}`);
});

Deno.test("a second segment begins with a sentence that could have followed", () => {
  const begins = new Set(corpus.sentences);
  const opening = new Set(Array.from(corpus.documents, (first) => corpus.sentences[first]));
  for (const { begin2 } of pairsOf(drawPairs(corpus, { sequence: SEQUENCE }))) {
    assert.ok(begins.has(begin2) && !opening.has(begin2));
  }
});

Deno.test("segments have a token at least, stay in their documents and fill their sequence", () => {
  const plan = drawPairs(corpus, { sequence: SEQUENCE, shortProbability: 0 });
  let [total, short] = [0, 0];
  for (const { begin1, end1, begin2, end2 } of pairsOf(plan)) {
    for (const [begin, end] of [[begin1, end1], [begin2, end2]]) {
      assert.ok(begin < end);
      assert.equal(documentOf(corpus, begin), documentOf(corpus, end - 1));
    }
    const length = end1 - begin1 + end2 - begin2;
    assert.ok(length <= SEQUENCE - 3);
    total += length;
    // Half of the longest sentence may be left out, and as much lost in the exchange.
    if (length < SEQUENCE - 3 - 29) short++;
  }
  // Only the end of a document leaves more room.
  assert.ok(short < 2 * sizes.length, `${short} short`);
  assert.ok(total > 0.85 * plan.count * (SEQUENCE - 3), `${total / plan.count}`);
  assert.ok(plan.cut < 0.1 * corpus.ids.length, `${plan.cut} of ${corpus.ids.length} cut`);
});

Deno.test("neither length nor the shape of a pair tells whether it is real", () => {
  const all: { total: number; second: number; ends: number }[][] = [[], []];
  const ends = new Set(corpus.sentences);
  for (let epoch = 0; epoch < 20; epoch++) {
    const plan = drawPairs(corpus, { sequence: SEQUENCE, epoch });
    for (const { begin1, end1, begin2, end2, label } of pairsOf(plan)) {
      const second = end2 - begin2;
      all[label].push({ total: end1 - begin1 + second, second, ends: ends.has(end2) ? 1 : 0 });
    }
  }
  const rate = (of: (pair: { total: number; second: number; ends: number }) => boolean): void => {
    const [real, other] = all.map((pairs) => pairs.filter(of).length / pairs.length);
    const count = Math.min(all[0].length, all[1].length);
    const spread = Math.sqrt(2 * real * (1 - real) / count);
    assert.ok(spread > 0 && Math.abs(real - other) < 4 * spread, `${real}, ${other}: ${of}`);
  };
  rate((pair) => pair.second < 12);
  rate((pair) => pair.second > 35);
  rate((pair) => pair.total < 30);
  rate((pair) => pair.ends === 1);
});

Deno.test("an epoch reads every token of a document of several sentences, or counts it as cut", () => {
  const plan = drawPairs(corpus, { sequence: SEQUENCE, seed: 7 });
  const read = new Uint8Array(corpus.ids.length);
  for (const { begin1, end1, begin2, end2 } of pairsOf(plan)) {
    read.fill(1, begin1, end1);
    read.fill(1, begin2, end2);
  }
  const unread = read.filter((r) => r === 0).length;
  assert.ok(unread > 0 && unread <= plan.cut, `${unread} unread, ${plan.cut} cut`);
});

Deno.test("epochs and seeds draw other pairs, the same ones the same", () => {
  const draw = (seed: number, epoch: number) =>
    drawPairs(corpus, { sequence: SEQUENCE, seed, epoch }).ranges.join();
  assert.equal(draw(1, 2), draw(1, 2));
  assert.equal(new Set([draw(1, 2), draw(1, 3), draw(2, 2), draw(2, 1)]).size, 4);
});

Deno.test("one document: other places of it stand in; documents of one sentence are counted", () => {
  const one = makeCorpus([29]);
  let elsewhere = 0;
  for (const { end1, begin2, label } of pairsOf(drawPairs(one, { sequence: 29 }))) {
    if (label === 1) elsewhere++;
    if (label === 1) assert.notEqual(begin2, end1);
  }
  assert.ok(elsewhere > 3);
  for (let seed = 0; seed < 7; seed++) {
    assert.equal(drawPairs(makeCorpus([2]), { sequence: 29, seed }).labels[0], 0, "nobody else");
  }
  const plan = drawPairs(makeCorpus([1, 7, 1, 3]), { sequence: 29 });
  assert.equal(plan.lone, 2);
  const none = drawPairs(makeCorpus([1, 1, 1]), { sequence: 29, pairs: false });
  assert.deepEqual([none.count, none.lone], [3, 0]);
});

Deno.test("without pairs, sentences that belong together fill the sequence", () => {
  const plan = drawPairs(corpus, { sequence: SEQUENCE, pairs: false, shortProbability: 0 });
  let at = 0;
  for (const { begin1, end1, begin2, end2 } of pairsOf(plan)) {
    assert.ok(begin1 >= at && end1 - begin1 <= SEQUENCE - 2);
    assert.equal(begin2, end2);
    assert.ok(corpus.sentences.includes(begin1));
    at = end1;
  }
});

Deno.test("text that gives no pairs, and sequences without room, are told", () => {
  const refused = (act: () => unknown, message: RegExp): void =>
    assert.throws(act, (error: Error) => {
      assert.ok(error instanceof VitrailError);
      assert.match(error.message, message);
      return !error.message.includes("\n");
    });
  refused(
    () => drawPairs(makeCorpus([1, 1, 1]), { sequence: 29 }),
    /every document has only one; give documents of several sentences, or train without next/,
  );
  refused(() => drawPairs(corpus, { sequence: 4 }), /sequences of 4 tokens: wanted at least 5/);
});
