/** Entities and their scores, by hand: CoNLL's rules for every pair of neighbours. @module */

import assert from "node:assert/strict";
import { areEntityTags, entitiesOf, scoreTags } from "../../../src/data/tags/tag_scores.ts";

/** Entities as `TYPE:begin-end`. */
const found = (tags: string) =>
  entitiesOf(tags.split(" ")).map(({ type, begin, end }) => `${type}:${begin}-${end}`).join(" ");

Deno.test("entities of IOB2: B begins one, I goes on", () => {
  assert.equal(found("B-PER I-PER O B-LOC"), "PER:0-1 LOC:3-3");
  assert.equal(found("B-PER B-PER I-PER I-PER"), "PER:0-0 PER:1-3");
  assert.equal(found("O O"), "");
  assert.equal(found("B-PER"), "PER:0-0");
  assert.equal(found("B-A-B I-A-B"), "A-B:0-1");
});

Deno.test("entities of IOB1, and of models: an I with nothing to go on from begins one", () => {
  assert.equal(found("I-PER I-PER O I-LOC"), "PER:0-1 LOC:3-3");
  assert.equal(found("B-PER I-LOC I-LOC"), "PER:0-0 LOC:1-2");
  assert.equal(found("I-PER I-LOC"), "PER:0-0 LOC:1-1");
  assert.equal(found("I-PER B-PER"), "PER:0-0 PER:1-1");
});

Deno.test("entities of IOBES: S is one word, E ends one", () => {
  assert.equal(found("S-PER B-LOC I-LOC E-LOC"), "PER:0-0 LOC:1-3");
  assert.equal(found("B-LOC E-LOC I-LOC"), "LOC:0-1 LOC:2-2");
  assert.equal(found("S-LOC I-LOC E-LOC"), "LOC:0-0 LOC:1-2");
  assert.equal(found("E-LOC E-LOC O E-LOC"), "LOC:0-0 LOC:1-1 LOC:3-3");
  assert.equal(found("B-LOC E-PER"), "LOC:0-0 PER:1-1");
  assert.equal(found("B-LOC I-PER E-LOC S-LOC"), "LOC:0-0 PER:1-1 LOC:2-2 LOC:3-3");
});

Deno.test("tags are parts of entities only if all of them are", () => {
  assert.ok(areEntityTags(["O", "B-X", "I-X"]));
  assert.ok(!areEntityTags(["O", "B-X", "NOUN"]));
  assert.ok(!areEntityTags(["O"]));
  assert.ok(!areEntityTags(["X", "ADV", "."]));
});

Deno.test("an entity is right if its type and both its ends are", () => {
  const wanted = ["B-PER I-PER O B-LOC O", "B-LOC I-LOC O", "O O", "B-ORG"].map((t) =>
    t.split(" ")
  );
  // Right: LOC 3, LOC 0-1; wrong: a PER that is too short, an ORG taken for LOC, and one from nothing.
  const given = ["B-PER O O B-LOC O", "B-LOC I-LOC O", "O B-PER", "B-LOC"].map((t) => t.split(" "));
  const { accuracy, words, entities } = scoreTags(wanted, given);
  assert.deepEqual([accuracy, words], [8 / 11, 11]);
  const { types, ...all } = entities!;
  assert.deepEqual(all, { precision: 2 / 5, recall: 2 / 4, f1: 4 / 9, support: 4 });
  assert.deepEqual(types, {
    LOC: { precision: 2 / 3, recall: 1, f1: 0.8, support: 2 },
    ORG: { precision: 0, recall: 0, f1: 0, support: 1 },
    PER: { precision: 0, recall: 0, f1: 0, support: 1 },
  });
});

Deno.test("sentences without entities have an F1 of 0, as in seqeval, and a note", () => {
  const none = { precision: 0, recall: 0, f1: 0, support: 0 };
  const notes = ["the right tags have no entity: recall is undefined, and F1 counts as 0"];
  const all = scoreTags([["O", "O"]], [["O", "O"]]);
  assert.deepEqual(all, { accuracy: 1, words: 2, entities: { ...none, types: {} }, notes });
  const found = scoreTags([["O", "O"]], [["B-PER", "O"]]);
  assert.deepEqual(found.entities, { ...none, types: { PER: none } });
  assert.deepEqual(found.notes, notes);
  // All tags say what they are parts of; without entities among them, there is no F1.
  assert.equal(scoreTags([["O"]], [["O"]], { tags: ["O", "X"] }).entities, undefined);
  assert.equal(scoreTags([], [], { tags: ["O", "B-X"] }).notes?.length, 2);
});

Deno.test("other tags are scored by the word only; what cannot be compared is told", () => {
  assert.deepEqual(scoreTags([["DET", "NOUN"], ["X"]], [["DET", "VERB"], ["X"]]), {
    accuracy: 2 / 3,
    words: 3,
  });
  assert.throws(() => scoreTags([["A"]], []), /1 sentences are right, 0 were found/);
  assert.throws(() => scoreTags([["A"]], [["A", "B"]]), /sentence 0 has 1 words, 2 were tagged/);
});
