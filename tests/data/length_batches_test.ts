/** Batches of about one length: every sequence once an epoch, the same however they are reached. @module */

import assert from "node:assert/strict";
import { byLength, LengthSampler, padSequences } from "../../src/data/length_batches.ts";

const lengths = Array.from({ length: 397 }, (_, i) => 3 + (i * 37) % 41);

Deno.test("an epoch visits every sequence once, in batches of about one length", () => {
  const sampler = new LengthSampler(lengths, { batch: 5, seed: 3 });
  const epochs = [0, 1].map((epoch) =>
    Array.from({ length: sampler.batches }, (_, n) => [...sampler.at(epoch * sampler.batches + n)])
  );
  for (const epoch of epochs) {
    assert.deepEqual(epoch.flat().sort((a, b) => a - b), [...lengths.keys()]);
    const spread = epoch.map((batch) => {
      const own = batch.map((i) => lengths[i]);
      return Math.max(...own) - Math.min(...own);
    });
    // At random, five of 41 lengths are on average 28 apart.
    assert.ok(spread.reduce((a, b) => a + b) / spread.length < 5, `${spread}`);
  }
  assert.notDeepEqual(epochs[0], epochs[1]);
  const again = new LengthSampler(lengths, { batch: 5, seed: 3 });
  assert.deepEqual([...again.at(sampler.batches + 7)], epochs[1][7]);
  const other = new LengthSampler(lengths, { batch: 5, seed: 4 });
  assert.notDeepEqual([...other.at(0)], epochs[0][0]);
});

Deno.test("for evaluation, all in order of their lengths", () => {
  const batches = byLength(lengths, 6);
  const order = batches.flatMap((batch) => [...batch]);
  assert.deepEqual(order.toSorted((a, b) => a - b), [...lengths.keys()]);
  const found = order.map((i) => lengths[i]);
  assert.deepEqual(found, found.toSorted((a, b) => a - b));
  assert.equal(batches.at(-1)!.length, 397 % 6);
});

Deno.test("padding is masked, and T is a multiple of eight within the context", () => {
  const ids = (...list: number[]) => ({ ids: Uint32Array.from(list) });
  const two = padSequences([ids(4, 5, 6), { ...ids(7), segments: Uint32Array.of(1) }], {
    padId: 2,
    contextLength: 29,
  });
  assert.deepEqual(two.shape, [2, 8]);
  assert.deepEqual([...two.ids], [4, 5, 6, 2, 2, 2, 2, 2, 7, 2, 2, 2, 2, 2, 2, 2]);
  assert.deepEqual([...two.segments], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(Array.from(two.mask!, (m) => m === 0), [
    ...[true, true, true, false, false, false, false, false],
    ...[true, false, false, false, false, false, false, false],
  ]);
  const long = padSequences([{ ids: new Uint32Array(27) }], { padId: 0, contextLength: 29 });
  assert.deepEqual(long.shape, [1, 29]);
  const full = padSequences([{ ids: new Uint32Array(29) }], { padId: 0, contextLength: 29 });
  assert.equal(full.mask, undefined);
});
