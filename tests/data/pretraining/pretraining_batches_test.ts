/**
 * Batches for pre-training: built as BERT reads them, the same from n and the seed, hardly padded.
 *
 * @module
 */
import assert from "node:assert/strict";
import { PretrainingSampler } from "../../../src/data/pretraining/pretraining_batches.ts";
import { drawPairs } from "../../../src/data/pretraining/sentence_pairs.ts";
import { FIRST_WORD, makeCorpus, VOCABULARY } from "./pretraining_cases.ts";

const corpus = makeCorpus(Array.from({ length: 97 }, (_, i) => 2 + (i * 29) % 53));
/** Enough of it that a batch of one length can be filled. */
const large = makeCorpus(Array.from({ length: 499 }, (_, i) => 2 + (i * 29) % 53));
const OPTIONS = { batch: 13, sequence: 61, seed: 29 };

Deno.test("batch n depends on n and the seed, not on those before, over epochs", () => {
  const sampler = new PretrainingSampler(corpus, VOCABULARY, OPTIONS);
  const { batches } = sampler.figures();
  const run = Array.from({ length: 3 * batches + 7 }, (_, n) => sampler.at(n));
  const resumed = new PretrainingSampler(corpus, VOCABULARY, OPTIONS);
  for (const n of [run.length - 1, 0, batches, batches - 1, 2 * batches + 1]) {
    assert.deepEqual(resumed.at(n), run[n], `batch ${n}`);
  }
  const other = new PretrainingSampler(corpus, VOCABULARY, { ...OPTIONS, seed: 30 });
  assert.ok(run.every((batch, n) => batch.ids.join() !== other.at(n).ids.join()));
});

Deno.test("a sequence is [CLS] first [SEP] second [SEP] padding, as the text has it", () => {
  const sampler = new PretrainingSampler(corpus, VOCABULARY, OPTIONS);
  const plan = drawPairs(corpus, OPTIONS);
  const wanted: string[] = [];
  for (let i = 0; i < plan.count; i++) {
    const [begin1, end1, begin2, end2] = plan.ranges.subarray(4 * i, 4 * i + 4);
    const [first, second] = [corpus.ids.slice(begin1, end1), corpus.ids.slice(begin2, end2)];
    const ids = [2, ...first, 3, ...second, 3];
    const segments = ids.map((_, place) => place < first.length + 2 ? 0 : 1);
    wanted.push([ids, segments, plan.labels[i]].join(" "));
  }
  const found: string[] = [];
  for (const { shape: [B, T], ids, segments, tokens, follows, mask } of sampler.first()) {
    assert.ok(T <= OPTIONS.sequence && (T % 4 === 0 || T === OPTIONS.sequence));
    assert.ok(B * T <= 13 * 61, "no more room than full sequences take");
    assert.equal(ids.length, B * T);
    for (let b = 0; b < B; b++) {
      // What was masked is put back.
      const row = Array.from(
        ids.slice(b * T, (b + 1) * T),
        (id, i) => tokens[b * T + i] === -100 ? id : tokens[b * T + i],
      );
      const length = row.lastIndexOf(3) + 1;
      assert.ok(row.slice(length).every((id) => id === VOCABULARY.padId));
      row.forEach((_, i) => assert.equal(mask?.[b * T + i] ?? 0, i < length ? 0 : -Infinity));
      const kinds = segments.slice(b * T, b * T + length);
      found.push([row.slice(0, length), kinds, follows![b]].join(" "));
    }
  }
  // Every pair of the epoch, once.
  assert.deepEqual(found.toSorted(), wanted.toSorted());
});

Deno.test("padding is a small part, less than where sequences come as they are drawn", () => {
  for (const shortProbability of [0, 0.1, 0.5]) {
    const options = { ...OPTIONS, shortProbability };
    const figures = new PretrainingSampler(large, VOCABULARY, options).figures();
    const plan = drawPairs(large, options);
    const lengths = Array.from({ length: plan.count }, (_, i) => {
      const [begin1, end1, begin2, end2] = plan.ranges.subarray(4 * i, 4 * i + 4);
      return 3 + end1 - begin1 + end2 - begin2;
    });
    let [tokens, places] = [0, 0];
    for (let i = 0; i < lengths.length; i += OPTIONS.batch) {
      const rows = lengths.slice(i, i + OPTIONS.batch);
      tokens += rows.reduce((sum, length) => sum + length, 0);
      places += rows.length * Math.max(...rows);
    }
    const unsorted = 1 - tokens / places;
    assert.equal(figures.tokens, tokens);
    assert.ok(figures.padding < 0.03, `${figures.padding}`);
    assert.ok(figures.padding < unsorted / 3, `${figures.padding}, unsorted ${unsorted}`);
  }
});

Deno.test("batches hold about equally many tokens, few of them full sequences or many short ones", () => {
  const sampler = new PretrainingSampler(large, VOCABULARY, { ...OPTIONS, shortProbability: 0.5 });
  const batches = [...sampler.first()];
  const places = batches.map(({ ids }) => ids.length).toSorted((a, b) => a - b);
  const rows = batches.map(({ shape }) => shape[0]);
  assert.ok(Math.max(...rows) > 3 * Math.min(...rows), `${rows}`);
  // All but the last of an epoch are full, up to one sequence.
  assert.ok(places[1] > 0.9 * 13 * 61, `${places}`);
});

Deno.test("an epoch's figures are those of its batches", () => {
  const sampler = new PretrainingSampler(corpus, VOCABULARY, OPTIONS);
  const found = { sequences: 0, batches: 0, places: 0, tokens: 0 };
  for (const { shape: [B, T], ids } of sampler.first()) {
    found.sequences += B;
    found.batches++;
    found.places += B * T;
    found.tokens += ids.filter((id) => id !== VOCABULARY.padId).length;
  }
  const { sequences, batches, tokens, padding } = sampler.figures();
  assert.deepEqual([sequences, batches, tokens], [found.sequences, found.batches, found.tokens]);
  assert.equal(padding, 1 - found.tokens / found.places);
  assert.equal([...sampler.first(5)].length, 5);
});

Deno.test("without pairs there is one segment and no label", () => {
  const sampler = new PretrainingSampler(corpus, VOCABULARY, { ...OPTIONS, pairs: false });
  for (const { shape: [B, T], ids, segments, follows, tokens } of sampler.first(7)) {
    assert.equal(follows, undefined);
    assert.ok(segments.every((kind) => kind === 0));
    for (let b = 0; b < B; b++) {
      const row = ids.subarray(b * T, (b + 1) * T);
      assert.equal(row.filter((id) => id === 3).length, 1);
      assert.ok(row.some((id) => id >= FIRST_WORD));
    }
    assert.ok(tokens.some((token) => token !== -100));
  }
});
