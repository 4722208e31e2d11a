/**
 * BERT's `tokenizer.json`: its parts, and the template that puts [CLS] and [SEP] around texts.
 *
 * @module
 */

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
  /** Whether letters become lower case and lose their accents. */
  lowercase?: boolean;
}

/** `tokenizer.json` of a WordPiece vocabulary, whose ids are the places in the list. */
export function wordPieceJson(
  tokens: readonly string[],
  { specialTokens = BERT_SPECIAL_TOKENS, lowercase = true }: WordPieceJsonOptions = {},
): unknown {
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
  const single = [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)];
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
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, sequence("B", 1), special("[SEP]", 1)],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((id) => [id, { id, ids: [vocab[id]], tokens: [id] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}
