/**
 * Tokenizers that we train, against what Python's `tokenizers` learns from the same text.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { trainBytePairTokenizer } from "../../src/tokenizers/train_bpe.ts";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import type { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import python from "../fixtures/tokenizers/trained.json" with { type: "json" };
import { sha256 } from "./sha256.ts";

const TEXT = Deno.readTextFileSync(new URL("../fixtures/tokenizers/text.txt", import.meta.url));

/** The model of a `tokenizer.json`: merges in order, tokens in order of their ids. */
function modelOf(tokenizer: Tokenizer): { merges: string[]; tokens: string[] } {
  const { model } = tokenizer.toJson() as {
    model: { vocab: Record<string, number>; merges: string[] };
  };
  const tokens = Object.entries(model.vocab).sort(([, a], [, b]) => a - b).map(([token]) => token);
  return { merges: model.merges, tokens };
}

for (const wanted of python.byteLevel) {
  const { vocabularySize, specialTokens } = wanted;
  Deno.test(`byte-level BPE of ${vocabularySize}: merges and ids equal Python's`, async () => {
    const tokenizer = await trainBytePairTokenizer([TEXT], { vocabularySize, specialTokens });
    const { merges, tokens } = modelOf(tokenizer);
    assert.deepEqual(merges.slice(0, 40), wanted.firstMerges.filter((merge) => merge !== ""));
    assert.equal(tokens.length, wanted.learned);
    assert.equal(tokenizer.vocabularySize, wanted.learned);
    assert.equal(await sha256(merges.join("\n")), wanted.mergesSha256);
    assert.equal(await sha256(tokens.join("\n")), wanted.vocabularySha256);
    python.hostile.forEach((text, i) => {
      assert.deepEqual(Array.from(tokenizer.encode(text)), wanted.ids[i], JSON.stringify(text));
    });
  });
}

Deno.test("a byte-level tokenizer gives back every text, however hostile", async () => {
  const tokenizer = await trainBytePairTokenizer([TEXT], { vocabularySize: 500 });
  for (const text of [TEXT, ...python.hostile.filter((t) => !t.includes("<|endoftext|>"))]) {
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  }
  assert.equal(
    tokenizer.decode(tokenizer.encode("a\ud83d b \udc4d\ud83d")),
    "a\ufffd b \ufffd\ufffd",
  );
});

Deno.test("texts may arrive in parts, and progress ends at the last token", async () => {
  const parts = TEXT.split(/(?<=\S)(?=\n\S)/);
  const asked: number[] = [];
  const whole = await trainBytePairTokenizer([TEXT], { vocabularySize: 400 });
  const inParts = await trainBytePairTokenizer(parts, {
    vocabularySize: 400,
    onProgress: (done) => asked.push(done),
  });
  assert.deepEqual(inParts.toJson(), whole.toJson());
  assert.equal(asked.at(-1), 400);
});

Deno.test("the character tokenizer equals Python's, and knows what it does not know", async () => {
  const tokenizer = await trainCharacterTokenizer([TEXT]);
  assert.equal(tokenizer.vocabularySize, python.characters.vocabularySize);
  const unknown = tokenizer.tokenToId("<unk>")!;
  python.hostile.forEach((text, i) => {
    const ids = Array.from(tokenizer.encode(text));
    assert.deepEqual(ids, python.characters.ids[i], JSON.stringify(text));
    if (!ids.includes(unknown) && !text.includes("<|endoftext|>")) {
      assert.equal(tokenizer.decode(ids), text);
    }
  });
  assert.equal(tokenizer.decode(tokenizer.encode(TEXT)), TEXT);
});

Deno.test("a small character vocabulary keeps the most frequent, ids in order of code points", async () => {
  const tokenizer = await trainCharacterTokenizer(["bb😀😀ｆｆaaa\ud800c\ufffd"], {
    vocabularySize: 7,
  });
  assert.deepEqual(modelOf(tokenizer).tokens, [
    "<|endoftext|>",
    "<unk>",
    "a",
    "b",
    "ｆ",
    "\ufffd",
    "😀",
  ]);
  assert.deepEqual(Array.from(tokenizer.encode("ab😀c\ud800")), [2, 3, 6, 1, 5]);
});

Deno.test("special tokens are one id, are not shown, and end a document", async () => {
  const specialTokens = ["<|endoftext|>", "<|user|>"];
  for (const train of [trainBytePairTokenizer, trainCharacterTokenizer]) {
    const tokenizer = await train([TEXT], { vocabularySize: 300, specialTokens });
    assert.equal(tokenizer.endOfText, 0);
    assert.equal(tokenizer.tokenToId("<|user|>"), 1);
    const ids = Array.from(tokenizer.encode("I<|user|>a<|endoftext|>"));
    assert.deepEqual([ids[1], ids[3], ids.length], [1, 0, 4]);
    assert.equal(tokenizer.decode(ids), "Ia");
  }
});

Deno.test("what cannot be trained is refused with what to do", async () => {
  const refused = async (start: Promise<unknown>, message: RegExp) => {
    await assert.rejects(start, (e: Error) => e instanceof VitrailError && message.test(e.message));
  };
  await refused(
    trainBytePairTokenizer([TEXT], { vocabularySize: 256 }),
    /256 tokens: 256 bytes and 1 special tokens need at least 257; choose a larger/,
  );
  await refused(trainCharacterTokenizer([""]), /Cannot train .* empty text/);
  await refused(trainCharacterTokenizer(["a"], { vocabularySize: 2 }), /leave no room/);
});
