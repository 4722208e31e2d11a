/**
 * What is written beside a tokenizer, so that `transformers` reads it as we do:
 * `scripts/reference/tokenizers/check_auto.py` asks it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { saveTokenizer } from "../../src/tokenizers/save_tokenizer.ts";
import { loadTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { trainWordPieceTokenizer } from "../../src/tokenizers/train_word_piece.ts";
import { folder } from "../data/files.ts";

const read = (path: string) => JSON.parse(Deno.readTextFileSync(path));

Deno.test("a tokenizer is written with its class, its length and its special tokens, and read again", async () => {
  using made = folder({});
  const characters = await trainCharacterTokenizer(["a b c"]);
  saveTokenizer(made.path, characters, { contextLength: 64 });
  const roles = {
    unk_token: "<unk>",
    eos_token: "<|endoftext|>",
    bos_token: "<|endoftext|>",
  };
  assert.deepEqual(read(made.at("special_tokens_map.json")), roles);
  assert.deepEqual(read(made.at("tokenizer_config.json")), {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    // transformers would give a GPT token types, whose embeddings it adds.
    model_input_names: ["input_ids", "attention_mask"],
    model_max_length: 64,
    ...roles,
  });
  const again = await loadTokenizer(made.path);
  assert.deepEqual(again.toJson(), characters.toJson());
  assert.deepEqual(again.encode("a b"), characters.encode("a b"));
});

Deno.test("BERT's special tokens have their roles, and no end of a text", async () => {
  using made = folder({});
  saveTokenizer(made.path, await trainWordPieceTokenizer(["some words"]));
  assert.deepEqual(read(made.at("special_tokens_map.json")), {
    unk_token: "[UNK]",
    pad_token: "[PAD]",
    cls_token: "[CLS]",
    sep_token: "[SEP]",
    mask_token: "[MASK]",
  });
  const { model_input_names, model_max_length } = read(made.at("tokenizer_config.json"));
  assert.deepEqual(model_input_names, ["input_ids", "token_type_ids", "attention_mask"]);
  assert.equal(model_max_length, undefined);
});

Deno.test("the roles of another's directory stay with its tokenizer", async () => {
  const { model } = (await trainCharacterTokenizer(["a b c"], {
    specialTokens: ["<|endoftext|>", "<start>", "</s>"],
  })).toJson() as { model: object };
  using made = folder({
    "tokenizer.json": JSON.stringify({ model }),
    "tokenizer_config.json": JSON.stringify({
      bos_token: { content: "<start>" },
      eos_token: "</s>",
      pad_token: "<none>",
    }),
  });
  saveTokenizer(made.path, await loadTokenizer(made.path));
  const { bos_token, eos_token, pad_token } = read(made.at("special_tokens_map.json"));
  assert.deepEqual([bos_token, eos_token, pad_token], ["<start>", "</s>", "<none>"]);
});
