/**
 * The files beside a tokenizer, as `AutoTokenizer` of transformers 5.24 reads them:
 * `../shared/cases/make_legacy_tokenizers.py` asked it for whole directories.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { loadTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { byteLevelJson } from "../../src/tokenizers/tokenizer_json.ts";
import { folder } from "../data/files.ts";

const VOCAB = { "<|endoftext|>": 0, a: 1, b: 2, "Ġ": 3, ab: 4, "Ġab": 5, "<": 6, p: 7, ">": 8 };
const MERGES = ["a b", "Ġ ab"];
const GPT2 = { "vocab.json": JSON.stringify(VOCAB), "merges.txt": MERGES.join("\n") + "\n" };
const JSON_GPT2 = JSON.stringify(
  byteLevelJson({ vocabulary: VOCAB, merges: MERGES, specialTokens: ["<|endoftext|>"] }),
);
const BERT = { "vocab.txt": "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nÉ\ne\nfoo\n" };
const config = (json: object) => ({ "tokenizer_config.json": JSON.stringify(json) });

async function ids(files: Record<string, string>, text: string): Promise<number[]> {
  using made = folder(files);
  const tokenizer = await loadTokenizer(made.path);
  return Array.from(tokenizer.encode(text));
}

Deno.test("merges may end their lines as on Windows, begin with a mark, and hold a number sign", async () => {
  const version = "#version: 0.2";
  for (
    const merges of [
      [...MERGES].join("\n"),
      [version, ...MERGES, ""].join("\r\n"),
      `\ufeff${[version, ...MERGES].join("\n")}\n`,
    ]
  ) assert.deepEqual(await ids({ ...GPT2, "merges.txt": merges }, " ab ab"), [5, 5], merges);
  await assert.rejects(ids({ ...GPT2, "merges.txt": "a b\n\nĠ ab\n" }, "a"), /merge 2 is ""/);
});

Deno.test("tokenizer_config.json sets the parts of the class that it names", async () => {
  const gpt2 = { tokenizer_class: "GPT2Tokenizer", add_prefix_space: true };
  assert.deepEqual(await ids({ "tokenizer.json": JSON_GPT2, ...config(gpt2) }, "ab"), [5]);
  assert.deepEqual(await ids({ ...GPT2, ...config(gpt2) }, "ab"), [5]);
  const whole = { ...gpt2, tokenizer_class: "PreTrainedTokenizerFast" };
  assert.deepEqual(await ids({ "tokenizer.json": JSON_GPT2, ...config(whole) }, "ab"), [4]);
  assert.deepEqual(await ids({ ...BERT, ...config({ do_lower_case: false }) }, "É"), [5]);
  assert.deepEqual(await ids(BERT, "É"), [6]);
  const other = config({ tokenizer_class: "BertJapaneseTokenizer" });
  await assert.rejects(ids({ ...BERT, ...other }, "a"), (error: Error) => {
    assert.ok(error instanceof VitrailError);
    assert.match(error.message, /vocab\.txt: .* tokenizer_class "BertJapaneseTokenizer"/);
    return true;
  });
  const split = config({ split_special_tokens: true });
  await assert.rejects(ids({ ...BERT, ...split }, "a"), /split_special_tokens is true/);
});

Deno.test("tokens that other files add have the next ids, and are found", async () => {
  const added = { "added_tokens.json": '{"<p>":9,"ab b":10}' };
  assert.deepEqual(await ids({ ...GPT2, ...added }, "a<p>bab b"), [1, 9, 2, 10]);
  const token = { content: "<p>", special: true, lstrip: true };
  const decoder = config({ added_tokens_decoder: { 9: token } });
  assert.deepEqual(await ids({ "tokenizer.json": JSON_GPT2, ...decoder }, "a <p>b"), [1, 9, 2]);
  const map = { "special_tokens_map.json": JSON.stringify({ pad_token: { content: "<p>" } }) };
  assert.deepEqual(await ids({ ...GPT2, ...map }, "a<p>"), [1, 9]);
  using made = folder({ ...GPT2, ...map });
  assert.equal((await loadTokenizer(made.path)).decode([1, 9]), "a");
});

Deno.test("a character that a tokenizer does not know is spoken of once", async () => {
  using made = folder(GPT2);
  const tokenizer = await loadTokenizer(made.path) as Awaited<ReturnType<typeof loadTokenizer>> & {
    onUnknown: (message: string) => void;
  };
  const said: string[] = [];
  tokenizer.onUnknown = (message) => said.push(message);
  assert.deepEqual(Array.from(tokenizer.encode("ab")), [4]);
  assert.deepEqual(said, []);
  tokenizer.encode("xaz");
  tokenizer.encode("y");
  assert.equal(said.length, 1);
  assert.match(said[0], /^The tokenizer does not know "x", "z": /);
});
