/**
 * BERT's `tokenizer.json`: its parts, and the template that puts [CLS] and [SEP] around texts.
 *
 * @module
 */

import { namedTokens, type SideFiles } from "./tokenizer_config.ts";

/** BERT's special tokens, in the order of their ids. */
export const BERT_SPECIAL_TOKENS: readonly string[] = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
];

/** How a `tokenizer.json` is made of a list of pieces. */
export interface WordPieceJsonOptions {
  /** Tokens that are found in a text before it is cut into words. */
  specialTokens?: readonly string[];
  /** Whether letters become lower case. */
  lowercase?: boolean;
  /** Whether letters lose their accents; if null, as they become lower case. */
  stripAccents?: boolean | null;
  /** Whether each Chinese character is a word. */
  handleChineseChars?: boolean;
  /** Tokens that stand for `unk_token`, `cls_token` and `sep_token` in place of BERT's. */
  roles?: Readonly<Record<string, string>>;
}

/** `tokenizer.json` of BERT's older directories: `vocab.txt`, with a piece a line. */
export function vocabularyTextJson(text: string, files: SideFiles = {}): unknown {
  const pieces = text.replace(/(?:\r\n|\r|\n)$/, "").split(/\r\n|\r|\n/);
  const { config = {} } = files;
  return wordPieceJson(pieces, {
    lowercase: config.do_lower_case ?? undefined,
    stripAccents: config.strip_accents,
    handleChineseChars: config.tokenize_chinese_chars ?? undefined,
    roles: namedTokens(files),
  });
}

/** `tokenizer.json` of a WordPiece vocabulary, whose ids are the places in the list. */
export function wordPieceJson(
  tokens: readonly string[],
  options: WordPieceJsonOptions = {},
): unknown {
  const { specialTokens = BERT_SPECIAL_TOKENS, lowercase = true } = options;
  const { unk_token = "[UNK]", cls_token = "[CLS]", sep_token = "[SEP]" } = options.roles ?? {};
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
  const single = [special(cls_token, 0), sequence("A", 0), special(sep_token, 0)];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.filter((content) => content in vocab).map((content) => ({
      id: vocab[content],
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
      handle_chinese_chars: options.handleChineseChars ?? true,
      strip_accents: options.stripAccents ?? null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, sequence("B", 1), special(sep_token, 1)],
      special_tokens: Object.fromEntries(
        [cls_token, sep_token].map((id) => [id, { id, ids: [vocab[id]], tokens: [id] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}
