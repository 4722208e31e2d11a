/**
 * Streams of every kind of decoder: whole characters, and together the text that is decoded at once.
 *
 * @module
 */
import assert from "node:assert/strict";
import { JsonTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { BYTE_TO_CHARACTER } from "../../src/tokenizers/byte_alphabet.ts";
import { byteToken } from "../../src/tokenizers/models/bpe.ts";
import { randomOf } from "../../src/data/random.ts";

const WORDS = [
  "a",
  "▁the",
  "▁",
  "##ish",
  "fox</w>",
  " .",
  "do",
  " not",
  "é",
  "😀",
  "e",
  "|",
  "<pad>",
];
const TOKENS = [
  ...new Set([
    ...WORDS,
    ...BYTE_TO_CHARACTER,
    ...Array.from({ length: 256 }, (_, b) => byteToken(b)),
  ]),
];
const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
const byteLevel = {
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: true,
};
const replaced = { type: "Replace", pattern: { String: "▁" }, content: " " };
const strip = { type: "Strip", content: " ", start: 1, stop: 1 };
const sequence = (...decoders: unknown[]) => ({ type: "Sequence", decoders });

const DECODERS: Record<string, unknown> = {
  none: null,
  ByteLevel: byteLevel,
  Metaspace: metaspace,
  WordPiece: { type: "WordPiece", prefix: "##", cleanup: true },
  BPEDecoder: { type: "BPEDecoder", suffix: "</w>" },
  CTC: { type: "CTC", pad_token: "<pad>", word_delimiter_token: "|", cleanup: true },
  ByteFallback: { type: "ByteFallback" },
  Llama: sequence(replaced, { type: "ByteFallback" }, { type: "Fuse" }, strip),
  joined: sequence({ type: "Fuse" }, { type: "Replace", pattern: { String: "e▁" }, content: "-" }),
  pattern: sequence(byteLevel, { type: "Replace", pattern: { Regex: "e+" }, content: "-" }, strip),
};

const tokenizerOf = (decoder: unknown) =>
  new JsonTokenizer({
    version: "1.0",
    added_tokens: [],
    decoder,
    model: {
      type: "BPE",
      vocab: Object.fromEntries(TOKENS.map((token, id) => [token, id])),
      merges: [],
    },
  });

Deno.test("a stream of any decoder and any ids is the text of all at once, in whole characters", () => {
  const random = randomOf(41);
  const encoder = new TextEncoder();
  for (const [name, decoder] of Object.entries(DECODERS)) {
    const tokenizer = tokenizerOf(decoder);
    const id = (token: string) => TOKENS.indexOf(token);
    for (let round = 0; round < 60; round++) {
      const ids = Array.from({ length: 1 + Math.floor(20 * random()) }, () => {
        const kind = random();
        // Half of the bytes belong to characters, the rest to none.
        if (kind < 0.3) {
          const bytes = Array.from(encoder.encode("é日😀"));
          const byte = bytes[Math.floor(bytes.length * random())];
          return id(random() < 0.5 ? BYTE_TO_CHARACTER[byte] : byteToken(byte));
        }
        if (kind < 0.5) return Math.floor(TOKENS.length * random());
        return Math.floor(WORDS.length * random());
      });
      const stream = tokenizer.stream();
      const pieces: string[] = [];
      for (let i = 0; i < ids.length;) {
        const some = ids.slice(i, i += 1 + Math.floor(3 * random()));
        pieces.push(stream.push(some));
      }
      pieces.push(stream.end());
      assert.ok(pieces.every((piece) => piece.isWellFormed()), `${name} ${ids}`);
      assert.equal(pieces.join(""), tokenizer.decode(ids), `${name} ${ids}`);
    }
  }
});

Deno.test("a continuation is shown as one: with the blank that a text's first word lacks", () => {
  const ids = (...tokens: string[]) => tokens.map((token) => TOKENS.indexOf(token));
  const shown = (kind: string, before: number[], after: number[]) => {
    const stream = tokenizerOf(DECODERS[kind]).stream({ after: before });
    return stream.push(after) + stream.end();
  };
  assert.equal(tokenizerOf(metaspace).decode(ids("▁the", "a")), "thea");
  assert.equal(shown("Metaspace", ids("▁the"), ids("▁the", "a")), " thea");
  assert.equal(shown("WordPiece", ids("a"), ids("do", "##ish")), " doish");
  assert.equal(shown("BPEDecoder", ids("fox</w>"), ids("a")), " a");
  // Alone, the first text ends before a blank, which the second gives back.
  assert.equal(shown("Llama", ids("▁the", "▁"), ids("a")), " a");
  // A character that the prompt leaves unfinished is shown when it is whole.
  const [first, second] = Array.from(
    new TextEncoder().encode("é"),
    (byte) => BYTE_TO_CHARACTER[byte],
  );
  assert.equal(shown("ByteLevel", ids("a", first), ids(second, "a")), "éa");
  assert.equal(shown("ByteLevel", ids("a"), ids(second)), "\ufffd");
});
