/** Text as its tokens come: whole characters, no stop string, and together the text decoded at once. @module */

import assert from "node:assert/strict";
import { BYTE_TO_CHARACTER } from "../../src/tokenizers/byte_alphabet.ts";
import { JsonTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { byteLevelJson } from "../../src/tokenizers/tokenizer_json.ts";
import { TextWriter } from "../../src/generation/text_writer.ts";
import { below, randomOf } from "../../src/data/random.ts";

/** Every byte is a token, so that a character is up to four of them. */
const tokenizer = new JsonTokenizer(byteLevelJson({
  vocabulary: Object.fromEntries(BYTE_TO_CHARACTER.map((character, byte) => [character, byte])),
  merges: [],
  specialTokens: [],
}));

/** Writes ids in chunks, and returns the pieces, the text and how many ids were taken. */
function write(ids: number[], chunk: number, stop: string[] = []) {
  const pieces: string[] = [];
  const writer = new TextWriter(tokenizer.stream(), { stop, onText: (p) => pieces.push(p) });
  let taken = 0;
  for (let at = 0; at < ids.length && !writer.stopped; at += chunk) {
    taken += writer.push(ids.slice(at, at + chunk));
  }
  return { pieces, text: writer.end(), taken, stopped: writer.stopped };
}

Deno.test("nothing stands behind a stop string, whatever the chunk holds behind it", () => {
  // The chunk ends in the middle of 😀, whose first bytes alone are U+FFFD.
  const ids = [...tokenizer.encode("one. 😀").slice(0, -2)];
  for (const chunk of [1, 2, 3, 99]) {
    const { text, pieces, taken, stopped } = write(ids, chunk, ["."]);
    assert.deepEqual([text, pieces.join(""), taken, stopped], ["one", "one", 4, true]);
  }
});

Deno.test("a character is never cut in two, and all pieces are the text decoded at once", () => {
  const random = randomOf(7);
  const some = (count: number): number => below(random, count);
  const letters = ["a", " ", "é", "日", "😀", "👩‍👩‍👧", "\n"];
  for (let round = 0; round < 300; round++) {
    const text = Array.from({ length: 1 + some(12) }, () => letters[some(7)]).join("");
    const ids = [...tokenizer.encode(text)].slice(0, 2 + some(40));
    const whole = tokenizer.decode(ids);
    const characters = [...whole];
    const from = some(characters.length);
    const stops = round % 3 === 0
      ? []
      : [characters.slice(from, from + 1 + some(3)).join(""), "xyz".repeat(some(4) + 1)];
    // A broken character at the end is known for one only when nothing more comes.
    const stop = stops.filter((s) => !s.includes("\ufffd"));
    const ends = stop.map((s) => whole.indexOf(s)).filter((at) => at >= 0);
    const expected = ends.length > 0 ? whole.slice(0, Math.min(...ends)) : whole;
    const { text: written, pieces } = write(ids, 1 + some(9), stop);
    const label = JSON.stringify({ text, stop, pieces });
    assert.equal(written, expected, label);
    assert.equal(pieces.join(""), expected, label);
    assert.ok(pieces.every((piece) => piece.isWellFormed() && piece !== ""), label);
  }
});

Deno.test("an empty stop string is refused", () => {
  assert.throws(() => new TextWriter(tokenizer.stream(), { stop: ["a", ""] }), {
    name: "VitrailError",
    message: /^Cannot stop before an empty text/,
  });
});
