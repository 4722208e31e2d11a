/**
 * What becomes of every character there is, against Python's `tokenizers`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { bertWords } from "../../src/tokenizers/bert_words.ts";
import python from "../fixtures/tokenizers/bert_characters.json" with { type: "json" };
import { sha256 } from "./sha256.ts";

/**
 * Capital letters of Unicode 17 (2025), which Python's library makes small and JavaScript does not
 * yet: see `lateCapitals` in the fixture.
 */
const LATE = new Map(python.lateCapitals.map(([capital, small]) => [capital, small]));

Deno.test("every code point becomes what it becomes in Python, and cuts words where it does", async () => {
  const blocks = python.sha256OfEvery4096;
  assert.equal(blocks.length, 0x110000 / 0x1000);
  for (const [block, wanted] of blocks.entries()) {
    let lines = "";
    for (let point = block * 0x1000; point < (block + 1) * 0x1000; point++) {
      if (point >= 0xd800 && point < 0xe000) continue;
      const small = LATE.get(point);
      const words = small
        ? [`a${String.fromCodePoint(small)}b`]
        : bertWords(`a${String.fromCodePoint(point)}b`);
      lines += words.join(" ") + "\n";
    }
    const name = `U+${(block * 0x1000).toString(16)} and the 4,095 after it`;
    assert.equal((await sha256(lines)).slice(0, 16), wanted, name);
  }
});
