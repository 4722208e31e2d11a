/** Regular expressions of a `tokenizer.json` that backtrack without end are ended; those of real models pass. @module */

import assert from "node:assert/strict";
import { JsonTokenizer } from "../../src/tokenizers/tokenizer.ts";

/** A tokenizer that cuts texts at a pattern; each byte is a token. */
function tokenizer(parts: object): JsonTokenizer {
  const vocab = Object.fromEntries(
    [..."abcdefghijklmnopqrstuvwxyzĠĊ!.,'0123456789ABCI"].map((c, i) => [c, i]),
  );
  return new JsonTokenizer({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: [],
    },
    ...parts,
  });
}

const byteLevel = {
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: false,
};
const split = (pattern: string) => ({
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
      byteLevel,
    ],
  },
});

/** Published patterns that take exponential or high polynomial time, on the text below. */
const SLOW = [
  "(a+)+$",
  "(a|a)*$",
  "(a|aa)+$",
  "(.*)*x",
  "^(\\w+\\s?)*$",
  "(x+x+)+y|(a+a+)+y",
  "([a-zA-Z]+)*$",
  "(?:a?){40}a{40}$",
  "(\\p{L}+)+!\\d",
  "((a+)+)+\\d",
  "(?=(a+)+\\d)a",
  "(?:[^\\s]+|\\S+)+ !",
  "(?:a{1,20}){1,20}\\d",
  ".*.*.*.*.*.*.*=",
];
const TEXT = "a".repeat(2000) + " b!";

Deno.test("a pattern that backtracks without end is refused by its tokenizer, not waited for", () => {
  const { patternSeconds } = JsonTokenizer;
  JsonTokenizer.patternSeconds = 0.05;
  try {
    for (const pattern of SLOW) {
      const slow = tokenizer(split(pattern));
      const refused =
        /Cannot tokenize with this tokenizer\.json: 2003 characters take longer .* backtracks/;
      assert.throws(() => slow.encode(TEXT), refused, pattern);
      assert.throws(() => slow.pieces(TEXT), refused, pattern);
    }
    const replace = { type: "Replace", pattern: { Regex: "(a+)+$" }, content: "b" };
    assert.throws(() => tokenizer({ normalizer: replace }).encode(TEXT), /backtracks without end/);
    const decoder = tokenizer({
      decoder: { type: "Sequence", decoders: [{ type: "Fuse" }, replace] },
    });
    const ids = [...Array(2000).fill(0), 1];
    assert.throws(() => decoder.decode(ids), /backtracks without end/);
  } finally {
    JsonTokenizer.patternSeconds = patternSeconds;
  }
});

const REAL = {
  "GPT-2": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "Llama 3": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|" +
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "Qwen 2": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" +
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
};

Deno.test("the patterns of real models pass, also over blanks, letters and breaks in long rows", () => {
  const texts = [
    "I didn't call.\n\n  12345",
    "a".repeat(20_000),
    " ".repeat(20_000) + "b",
    "\n ".repeat(9_000),
  ];
  for (const [name, pattern] of Object.entries(REAL)) {
    const real = tokenizer(split(pattern));
    for (const text of texts) assert.equal(real.encode(text).length, text.length, name);
  }
  const deep = "(".repeat(20_000) + "a" + ")".repeat(20_000);
  assert.throws(() => tokenizer(split(deep)), /nesting deeper than 100 in the regular expression/);
  assert.throws(() => tokenizer(split("[".repeat(20_000))), /nesting deeper than 100/);
});
