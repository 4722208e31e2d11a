/** Which token ends a text: what the files of a directory say, in their order. @module */

import assert from "node:assert/strict";
import { loadTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { tokenizerJson } from "../../src/tokenizers/tokenizer_json.ts";
import { folder } from "../data/files.ts";

const vocab = { a: 0, b: 1, "<|endoftext|>": 2, "</s>": 3, "<|im_end|>": 4 };
const tokenizer = JSON.stringify(tokenizerJson({
  model: { vocab, merges: [] } as { vocab: Record<string, number> },
  preTokenizer: null,
  decoder: null,
  specialTokens: Object.keys(vocab).slice(2),
}));

Deno.test("the model's files say what ends a text, then the tokenizer's, then its vocabulary", async () => {
  const cases: [Record<string, unknown>, number][] = [
    [{}, 2],
    [{ special_tokens_map: { eos_token: "</s>" } }, 3],
    [{ tokenizer_config: { eos_token: { content: "<|im_end|>" } }, special_tokens_map: {} }, 4],
    [{ tokenizer_config: { eos_token: "<|not there|>" } }, 2],
    [{ tokenizer_config: { eos_token: "</s>" }, config: { eos_token_id: 1 } }, 1],
    // Of several, the tokenizer's own is the one that is learnt and written.
    [{ tokenizer_config: { eos_token: "</s>" }, config: { eos_token_id: [4, 3] } }, 3],
    [{ tokenizer_config: { eos_token: "a" }, config: { eos_token_id: [4, 3] } }, 4],
    [{ config: { eos_token_id: 1 }, generation_config: { eos_token_id: [4] } }, 4],
    [{ config: { eos_token_id: 1 }, generation_config: { eos_token_id: null } }, 1],
    // transformers writes 50256 for any vocabulary.
    [{ config: { eos_token_id: 50256 } }, 2],
    [{ config: { eos_token_id: "2" }, generation_config: [] }, 2],
  ];
  for (const [files, end] of cases) {
    const named = Object.entries(files).map(([name, json]) => [
      `${name}.json`,
      JSON.stringify(json),
    ]);
    using made = folder({ "tokenizer.json": tokenizer, ...Object.fromEntries(named) });
    const found = [await loadTokenizer(made.path), await loadTokenizer(made.at("tokenizer.json"))];
    assert.deepEqual(found.map((t) => t.endOfText), [end, end], JSON.stringify(files));
  }
});
