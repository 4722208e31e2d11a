/**
 * Masking: its rates, what it never touches, and whole words.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Masking, nothingAsked } from "../../../src/data/pretraining/masking.ts";
import { randomOf } from "../../../src/data/random.ts";
import { deviations, FIRST_WORD, VOCABULARY } from "./pretraining_cases.ts";

const LENGTH = 29;
const SEQUENCES = 4001;

/** Many sequences `[CLS] … [SEP] … [SEP]` before and after. */
function maskMany(options: { probability?: number; wholeWord?: boolean }) {
  const masking = new Masking(VOCABULARY, options);
  return Array.from({ length: SEQUENCES }, (_, n) => {
    const random = randomOf(12, n);
    const before = Uint32Array.from(
      { length: LENGTH },
      () => FIRST_WORD + Math.floor(random() * (VOCABULARY.size - FIRST_WORD)),
    );
    [before[0], before[13], before[LENGTH - 1]] = [2, 3, 3];
    const [ids, targets] = [before.slice(), nothingAsked(LENGTH)];
    masking.apply(ids, targets, random);
    return { before, ids, targets };
  });
}

Deno.test("15 % of the tokens are asked for: 80 % masked, 10 % replaced, 10 % kept", () => {
  const counts = { asked: 0, masked: 0, kept: 0, replaced: 0 };
  const placed = new Array(LENGTH).fill(0);
  for (const { before, ids, targets } of maskMany({})) {
    targets.forEach((target, i) => {
      if (target === -100) return assert.equal(ids[i], before[i]);
      assert.equal(target, before[i]);
      counts.asked++;
      placed[i]++;
      if (ids[i] === VOCABULARY.maskId) counts.masked++;
      else if (ids[i] === before[i]) counts.kept++;
      else counts.replaced++;
    });
  }
  // Of 26 tokens, 15 % are 3.9: always 4.
  assert.equal(counts.asked, 4 * SEQUENCES);
  // A random token is the right one once in 192.
  const same = 0.1 / (VOCABULARY.size - FIRST_WORD);
  for (
    const [count, rate] of [
      [counts.masked, 0.8],
      [counts.replaced, 0.1 - same],
      [counts.kept, 0.1 + same],
    ]
  ) {
    assert.ok(Math.abs(deviations(count, counts.asked, rate)) < 4, JSON.stringify(counts));
  }
  placed.forEach((count, i) => {
    const special = [0, 13, LENGTH - 1].includes(i);
    if (special) assert.equal(count, 0);
    else assert.ok(Math.abs(deviations(count, SEQUENCES, 4 / 26)) < 4.5, `place ${i}: ${count}`);
  });
});

Deno.test("a special token is never masked, and never takes a token's place", () => {
  for (const { before, ids, targets } of maskMany({ probability: 0.9 })) {
    ids.forEach((id, i) => {
      if (before[i] < FIRST_WORD) assert.deepEqual([id, targets[i]], [before[i], -100]);
      else if (id !== VOCABULARY.maskId) assert.ok(id >= FIRST_WORD);
    });
  }
});

Deno.test("at least one token is asked for, unless there are only special ones", () => {
  const masking = new Masking(VOCABULARY);
  const asked = (...ids: number[]): number => {
    const targets = nothingAsked(ids.length);
    masking.apply(Uint32Array.from(ids), targets, randomOf(1));
    return targets.filter((t) => t !== -100).length;
  };
  assert.equal(asked(2, 197 - 1, 3), 1);
  assert.equal(asked(2, 3, 3), 0);
});

Deno.test("whole words are masked whole or not at all, at nearly the same rate", () => {
  let [asked, tokens, pieces] = [0, 0, 0];
  for (const { before, targets } of maskMany({ wholeWord: true })) {
    for (let i = 1; i < LENGTH; i++) {
      const goesOn = VOCABULARY.continues[before[i]] === 1 && before[i - 1] >= FIRST_WORD;
      if (!goesOn) continue;
      assert.equal(targets[i] !== -100, targets[i - 1] !== -100, `${before}`);
      if (targets[i] !== -100) pieces++;
    }
    asked += targets.filter((t) => t !== -100).length;
    tokens += LENGTH - 3;
  }
  assert.ok(pieces > 1000);
  // A word too long for what is left is passed over: never more than the share, and hardly less.
  assert.ok(asked <= 4 * SEQUENCES && asked / tokens > 0.145, `${asked / tokens}`);
});

Deno.test("every pass masks other tokens, and the same keys the same", () => {
  const masking = new Masking(VOCABULARY);
  const once = (...keys: number[]): string => {
    const ids = Uint32Array.from({ length: 197 }, (_, i) => FIRST_WORD + i % 191);
    masking.apply(ids, nothingAsked(197), randomOf(...keys));
    return ids.join();
  };
  assert.equal(once(3, 5), once(3, 5));
  assert.equal(new Set([once(3, 5), once(3, 6), once(4, 5), once(5, 3)]).size, 4);
});
