/**
 * Batches: each window once an epoch, the same from the same seed and place, nothing past the end.
 *
 * @module
 */
import assert from "node:assert/strict";
import { BatchSampler, sequentialBatches, type Tokens } from "../../../src/data/tokens/batches.ts";

/** Tokens that are their own places. */
const row = (length: number): Tokens => ({
  length,
  read(offset, count) {
    assert.ok(offset >= 0 && offset + count <= length, `${offset} + ${count} in ${length}`);
    return Uint32Array.from({ length: count }, (_, i) => offset + i);
  },
});

const SIZE = { batch: 3, sequence: 29 };

Deno.test("a batch depends on its place and the seed, not on those before: a run can resume", () => {
  const sampler = new BatchSampler(row(2000), { ...SIZE, seed: 12 });
  const run = Array.from({ length: 197 }, (_, n) => sampler.at(n));
  const resumed = new BatchSampler(row(2000), { ...SIZE, seed: 12 });
  for (const n of [196, 0, 100, 23]) assert.deepEqual(resumed.at(n), run[n]);
  const other = new BatchSampler(row(2000), { ...SIZE, seed: 13 });
  const same = run.filter((batch, n) => batch.inputs.join() === other.at(n).inputs.join());
  assert.ok(same.length < 3, `${same.length} of 197 batches equal under another seed`);
});

Deno.test("a target is the token that follows, and windows never pass the end", () => {
  for (const length of [30, 31, 58, 59, 60, 88, 197, 1999]) {
    const sampler = new BatchSampler(row(length), SIZE);
    for (let n = 0; n < 97; n++) {
      const { inputs, targets } = sampler.at(n);
      assert.equal(inputs.length, 87);
      inputs.forEach((id, i) => assert.equal(targets[i], id + 1));
    }
  }
});

Deno.test("an epoch visits every window once, and epochs differ in order and offset", () => {
  const sampler = new BatchSampler(row(2000), { batch: 1, sequence: 29, seed: 5 });
  assert.equal(sampler.windows, 67);
  const epoch = (e: number) =>
    Array.from({ length: 67 }, (_, n) => sampler.at(e * 67 + n).inputs[0]);
  const orders = [0, 1, 2, 3].map(epoch);
  for (const begins of orders) {
    const sorted = begins.toSorted((a, b) => a - b);
    sorted.forEach((begin, i) => assert.equal(begin, sorted[0] + 29 * i));
    assert.notDeepEqual(begins, sorted);
  }
  assert.equal(new Set(orders.map((begins) => begins.join())).size, 4);
  assert.ok(new Set(orders.map((begins) => Math.min(...begins))).size > 1, "offsets differ");
});

Deno.test("too few tokens for one window are told with what is wanted", () => {
  assert.throws(
    () => new BatchSampler(row(29), SIZE),
    /Cannot train on 29 tokens with sequences of 29: wanted at least 30; give more text or/,
  );
});

Deno.test("in order, every token but the first is predicted once", () => {
  for (const length of [2, 29, 30, 31, 88, 89, 197]) {
    const seen: number[] = [];
    for (const { inputs, targets } of sequentialBatches(row(length), SIZE)) {
      assert.equal(inputs.length % 29, 0);
      targets.forEach((target, i) => {
        if (target === -100) return;
        assert.equal(target, inputs[i] + 1);
        seen.push(target);
      });
    }
    assert.deepEqual(seen, Array.from({ length: length - 1 }, (_, i) => i + 1), `of ${length}`);
  }
  assert.equal([...sequentialBatches(row(1), SIZE)].length, 0);
  assert.equal([...sequentialBatches(row(1999), { ...SIZE, limit: 2 })].length, 2);
});
