/** Sequences and their batches: what is cut, what is padded, what an epoch visits. @module */

import assert from "node:assert/strict";
import {
  LabelledSampler,
  labelTargets,
  meanOverWindows,
  windowsOf,
} from "../../../src/data/labels/labelled_batches.ts";
import {
  byLength,
  encodeTexts,
  padBatch,
  sequenceFormat,
} from "../../../src/data/padded_sequences.ts";
import { BARE_TEMPLATE, pairTemplate } from "../../../src/tokenizers/sequence_template.ts";

/** A token for each character. */
const letters = { encode: (text: string) => Uint32Array.from(text, (c) => c.charCodeAt(0)) };

Deno.test("texts are cut to the limit with their special tokens, and the cut ones are told", () => {
  const format = { template: pairTemplate(1, [2]), padId: 0, limit: 5 };
  const { sequences, cut } = encodeTexts(["abc", "abcd", "", "x".repeat(9999)], letters, format);
  assert.deepEqual(sequences.map((s) => [...s]), [
    [1, 97, 98, 99, 2],
    [1, 97, 98, 99, 2],
    [1, 2],
    [1, 120, 120, 120, 2],
  ]);
  assert.deepEqual(cut, [false, true, false, true]);
  // A word may be one token however long: what is behind it is found.
  const words = { encode: (text: string) => new Uint32Array(text.split(" ").length).fill(7) };
  const long = [`${"x".repeat(500)} b c`, Array(20).fill("x".repeat(99)).join(" ")];
  const found = encodeTexts(long, words, format);
  assert.deepEqual(found.sequences.map((s) => s.length), [5, 5]);
  assert.deepEqual(found.cut, [false, true]);
  // A model cannot read nothing at all.
  const bare = { template: BARE_TEMPLATE, padId: 9, limit: 5 };
  assert.deepEqual(encodeTexts([""], letters, bare).sequences, [Uint32Array.of(9)]);
  assert.throws(() => encodeTexts(["a"], letters, { ...format, limit: 2 }), /into 2 tokens: 2 are/);
  const pair = () => encodeTexts([["a", "b"]], letters, { ...format, limit: 4 });
  assert.throws(pair, /a pair of texts into 4 tokens: 3 are special/);
  for (const wrong of [["a"], ["a", "b", "c"], [1, 2], undefined, 3]) {
    const text = wrong as unknown as string;
    assert.throws(
      () => encodeTexts(["a", text], letters, format),
      /Cannot encode text 2: it is .*, wanted a text or a list of two/,
    );
  }
});

Deno.test("long texts are divided into windows of equal length that reach from end to end", () => {
  const format = {
    template: pairTemplate(1, [2]),
    padId: 0,
    limit: 6,
    longTexts: "windows" as const,
  };
  const texts = ["abc", "abcdefghij", "", "abcd", "abcde", "x".repeat(999)];
  const found = encodeTexts(texts, letters, format);
  const inside = found.sequences.map((s) => String.fromCharCode(...s.subarray(1, -1)));
  assert.deepEqual(inside.slice(0, 8), ["abc", "abcd", "defg", "ghij", "", "abcd", "abcd", "bcde"]);
  assert.deepEqual(found.texts.slice(0, 8), [0, 1, 1, 1, 2, 3, 4, 4]);
  assert.equal(found.texts.length, 8 + 250);
  assert.deepEqual(found.long, [false, true, false, false, true, true]);
  assert.ok(!found.cut.includes(true));
  for (const s of found.sequences) assert.deepEqual([s[0], s.at(-1)], [1, 2]);
});

Deno.test("what is said of a text is the mean of what is said of its windows", () => {
  const windows = windowsOf({
    sequences: data.sequences.slice(0, 4),
    texts: [0, 1, 1, 2],
  });
  assert.deepEqual(windows, [[0], [1, 2], [3]]);
  const each = [[1, 2], [3, 8], [5, 2], [7, 9]];
  assert.deepEqual(meanOverWindows(each, windows), [[1, 2], [4, 5], [7, 9]]);
});

Deno.test("an epoch visits every text once, in a window of it, with the text's own label", () => {
  const texts = data.sequences.map((_, i) => Math.floor(i / 3)); // 18 texts, the last of 2 windows
  const targets = Array.from({ length: 18 }, (_, i) => [i % 2]);
  const sampler = new LabelledSampler({ ...data, texts, targets }, {
    batch: 6,
    padId: 0,
    limit: 64,
  });
  assert.equal(sampler.batches, 3);
  const epochs = [0, 1].map((epoch) =>
    Array.from({ length: 3 }, (_, n) => {
      const { ids, time, targets } = sampler.at(3 * epoch + n);
      const windows = Array.from({ length: 6 }, (_, b) => ids[b * time] - 1);
      assert.deepEqual([...targets], windows.map((w) => Math.floor(w / 3) % 2));
      return windows;
    }).flat()
  );
  for (const windows of epochs) assert.equal(new Set(windows.map((w) => texts[w])).size, 18);
  assert.ok(new Set(epochs.flat()).size > 18, "the next time in another window");
});

Deno.test("BERT reads a text between [CLS] and [SEP], which its tokenizer must have", () => {
  const options = { family: "bert" as const, padId: 0, limit: 9 };
  const ids: Record<string, number> = { "[CLS]": 2, "[SEP]": 3 };
  const toJson = () => ({});
  const { template } = sequenceFormat({ tokenToId: (token) => ids[token], toJson }, options);
  assert.deepEqual(template.single.map((part) => "ids" in part ? part.ids : part.text), [
    [2],
    0,
    [3],
  ]);
  const none = { tokenToId: () => undefined, toJson };
  assert.throws(() => sequenceFormat(none, options), /has no \[CLS\]/);
});

Deno.test("batches are padded behind, within the model's context", () => {
  const sequences = [3, 7, 1].map((length) => new Uint32Array(length).fill(5));
  const padded = padBatch(sequences, { padId: 9, limit: 29 });
  assert.deepEqual([padded.time, ...padded.lengths], [8, 3, 7, 1]);
  assert.deepEqual([...padded.ids.subarray(0, 8)], [5, 5, 5, 9, 9, 9, 9, 9]);
  assert.equal(padBatch(sequences, { padId: 9, limit: 7 }).time, 7);
  assert.deepEqual(byLength(sequences, 2), [[2, 0], [1]]);
});

const N = 53;
const data = {
  sequences: Array.from({ length: N }, (_, i) => new Uint32Array(1 + (i * 7) % 29).fill(i + 1)),
  targets: Array.from({ length: N }, (_, i) => [i % 9 === 0 ? 1 : 0]),
  kind: "single" as const,
};

Deno.test("an epoch visits every sequence once, and batch n is the same however it is reached", () => {
  const options = { batch: 6, seed: 3, padId: 0, limit: 64 };
  const sampler = new LabelledSampler(data, options);
  assert.equal(sampler.batches, 8);
  const visits = (epoch: number): number[] =>
    Array.from({ length: 8 }, (_, n) => {
      const { ids, time, targets } = sampler.at(8 * epoch + n);
      const numbers = Array.from({ length: 6 }, (_, b) => ids[b * time] - 1);
      assert.deepEqual([...targets], numbers.map((i) => data.targets[i][0]));
      return numbers;
    }).flat();
  const [first, second] = [visits(0), visits(1)];
  assert.equal(new Set(first).size, 48);
  assert.equal(new Set(second).size, 48);
  assert.notDeepEqual(first, second);
  assert.notDeepEqual(new Set(first), new Set(second), "other sequences are left over");
  assert.deepEqual(new LabelledSampler(data, options).at(11), sampler.at(11));
  assert.notDeepEqual(new LabelledSampler(data, { ...options, seed: 4 }).at(11), sampler.at(11));
  // Sequences of one length are together: less than half of the padding of the order of the data.
  const padding = (batches: { time: number; lengths: Uint32Array }[]): number =>
    batches.reduce(
      (sum, { time, lengths }) => lengths.reduce((rest, l) => rest + time - l, sum),
      0,
    );
  const plain = Array.from({ length: 8 }, (_, n) => {
    return padBatch(data.sequences.slice(6 * n, 6 * n + 6), options);
  });
  const sorted = Array.from({ length: 8 }, (_, n) => sampler.at(n));
  assert.ok(padding(sorted) < 0.5 * padding(plain), `${padding(sorted)}, ${padding(plain)}`);
});

Deno.test("balanced sampling draws each class as often as any other", () => {
  const sampler = new LabelledSampler(data, { batch: 6, padId: 0, limit: 64, balanced: true });
  const drawn = Array.from({ length: 8 }, (_, n) => [...sampler.at(n).targets]).flat();
  const rare = drawn.filter((target) => target === 1).length;
  assert.ok(rare >= 20 && rare <= 27, `${rare} of ${drawn.length}`);
});

Deno.test("labels become class numbers, rows of 0 and 1, or stay numbers", () => {
  const names = ["a", "b", "c"];
  assert.deepEqual(labelTargets([["c"], ["a"]], { names, kind: "single" }), [[2], [0]]);
  assert.deepEqual(labelTargets([["c", "a"], []], { names, kind: "multiple" }), [[1, 0, 1], [
    0,
    0,
    0,
  ]]);
  assert.deepEqual(labelTargets([[0.5]], { names: ["x"], kind: "number" }), [[0.5]]);
});
