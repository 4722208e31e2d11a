/**
 * What the parts of a tokenizer make of every character there is, against Python's `tokenizers`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { NORMALIZERS } from "../../src/tokenizers/normalizers.ts";
import { makePart } from "../../src/tokenizers/part.ts";
import { type CutStep, PRE_TOKENIZERS } from "../../src/tokenizers/pre_tokenizers.ts";
import python from "../fixtures/tokenizers/characters.json" with { type: "json" };
import { sha256 } from "./sha256.ts";

/** Parts that need more than their name; any other is a regular expression to cut at. */
const PARTS: Record<string, object> = {
  Digits: { individual_digits: true },
  Whitespace: {},
  WhitespaceSplit: {},
  Punctuation: { behavior: "Isolated" },
};

/** Ideographs, syllables of Hangul and what is not assigned yet: all alike. */
const ALIKE = [[0x3400, 0xa000], [0xac00, 0xf900], [0x17000, 0x18d00]];

Deno.test("every code point becomes what it becomes in Python, in every part", async () => {
  const lines: string[] = [];
  for (let point = 0; point < 0x20000; point++) {
    if (ALIKE.some(([first, behind]) => point >= first && point < behind)) continue;
    lines.push(`q${String.fromCodePoint(point)}q`);
  }
  const text = lines.join("\n");
  for (const [name, wanted] of Object.entries(python.sha256)) {
    let made: string;
    if (Object.hasOwn(NORMALIZERS, name)) {
      const rewrite = makePart({ type: name }, NORMALIZERS, "normalizer");
      made = rewrite(text, { track: false, first: true }).text;
    } else {
      const split = {
        type: "Split",
        pattern: { Regex: name },
        behavior: "Isolated",
        invert: false,
      };
      const part = Object.hasOwn(PARTS, name) ? { type: name, ...PARTS[name] } : split;
      const [cut] = makePart(part, PRE_TOKENIZERS, "pre-tokenizer") as [CutStep];
      made = cut.words(text).join("\0");
    }
    assert.equal((await sha256(made)).slice(0, 16), wanted, name);
  }
});
