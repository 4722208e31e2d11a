/** A WordPiece tokenizer of a few pieces, for the tests of tagging and answering. @module */

import { JsonTokenizer, type Tokenizer } from "../../../src/tokenizers/tokenizer.ts";

/** Pieces by id; `[PAD]` is 0. */
export const PIECES =
  "[PAD] [UNK] [CLS] [SEP] [MASK] a b c d ##a ##b ##c ##d . , ? ' who what where 1 2 3"
    .split(" ");

/** Cuts words such as `abc` into `a ##b ##c`. */
export function tinyTokenizer(): Tokenizer {
  return new JsonTokenizer({
    added_tokens: PIECES.slice(0, 5).map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: false },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(PIECES.map((piece, id) => [piece, id])),
    },
  });
}
