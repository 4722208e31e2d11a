/**
 * Small tokenizers of every kind that the Hugging Face library has parts for.
 *
 * @module
 */
import { trainBytePairTokenizer } from "../../src/tokenizers/train_bpe.ts";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { trainWordPieceTokenizer } from "../../src/tokenizers/train_word_piece.ts";

export const TEXT =
  "Call me Ishmael. Some years ago - never mind how long precisely - I didn't go.";

const letters = Object.fromEntries(
  [..."<abcdefghijklmnopqrstuvwxyz▁Ġ0123456789.,!?-'"].map((c, i) => [c, i]),
);
const added = (content: string, id: number) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});
const base = {
  version: "1.0",
  truncation: null,
  padding: null,
  normalizer: null,
  post_processor: null,
};
const bpe = {
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
  vocab: { ...letters, he: 60, ll: 61, "Ġm": 62 },
  merges: ["h e", "l l", "Ġ m"],
};
const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+" +
  "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Contents of `tokenizer.json`, by name. */
export async function tokenizerSeeds(): Promise<Record<string, unknown>> {
  const texts = [TEXT, TEXT.toUpperCase()];
  return {
    "byte-level": (await trainBytePairTokenizer(texts, { vocabularySize: 280 })).toJson(),
    characters: (await trainCharacterTokenizer(texts)).toJson(),
    "word-piece": (await trainWordPieceTokenizer(texts, { vocabularySize: 90 })).toJson(),
    llama: {
      ...base,
      added_tokens: [added("<|end|>", 63), added("<|pad|>", 64)],
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { Regex: LLAMA3 }, behavior: "Isolated", invert: false },
          { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
        ],
      },
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: "<|end|>", type_id: 0 } }, {
          Sequence: { id: "A", type_id: 0 },
        }],
        pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
        special_tokens: { "<|end|>": { id: "<|end|>", ids: [63], tokens: ["<|end|>"] } },
      },
      decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: bpe,
    },
    metaspace: {
      ...base,
      added_tokens: [added("<unk>", 63)],
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "▁" },
          { type: "Replace", pattern: { String: " " }, content: "▁" },
          { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
          { type: "NFKC" },
          { type: "Lowercase" },
        ],
      },
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Digits", individual_digits: true },
          { type: "Punctuation", behavior: "Isolated" },
        ],
      },
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 },
        ],
      },
      model: {
        ...bpe,
        unk_token: "<unk>",
        byte_fallback: true,
        vocab: { ...bpe.vocab, "<unk>": 63 },
      },
    },
    unigram: {
      ...base,
      added_tokens: [added("<unk>", 0)],
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      model: {
        type: "Unigram",
        unk_id: 0,
        byte_fallback: false,
        vocab: [["<unk>", 0], ...Object.keys(letters).map((c, i) => [c, -3 - i / 10]), ["me", -4]],
      },
    },
    "word-level": {
      ...base,
      added_tokens: [added("<unk>", 0)],
      pre_tokenizer: { type: "Whitespace" },
      decoder: null,
      model: {
        type: "WordLevel",
        vocab: { "<unk>": 0, Call: 1, me: 2, Ishmael: 3, ".": 4 },
        unk_token: "<unk>",
      },
    },
  };
}

/** GPT-2's files. */
export const bpeFiles: Record<string, string> = {
  "vocab.json": JSON.stringify({ ...letters, "<|endoftext|>": 63, he: 60, ll: 61, "Ġm": 62 }),
  "merges.txt": "#version: 0.2\nh e\nl l\nĠ m\n",
  "tokenizer_config.json": JSON.stringify({ add_prefix_space: false, model_max_length: 1024 }),
};

/** Files beside a `tokenizer.json`. */
export const sideFiles: Record<string, unknown> = {
  "tokenizer_config.json": {
    add_prefix_space: false,
    eos_token: "<|end|>",
    added_tokens_decoder: {
      "63": {
        content: "<|end|>",
        lstrip: false,
        normalized: false,
        rstrip: false,
        single_word: false,
        special: true,
      },
    },
  },
  "special_tokens_map.json": {
    eos_token: "<|end|>",
    pad_token: { content: "<|pad|>", lstrip: false },
  },
  "added_tokens.json": { "<|extra|>": 65 },
  "config.json": { model_type: "gpt2", eos_token_id: 63 },
  "generation_config.json": { eos_token_id: [63, 64] },
};

/** BERT's files. */
export const wordPieceFiles: Record<string, string> = {
  "vocab.txt":
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "call", "me", "##ll", "is", "##h", "."].join(
      "\n",
    ) + "\n",
  "tokenizer_config.json": JSON.stringify({ do_lower_case: true, tokenize_chinese_chars: true }),
};
