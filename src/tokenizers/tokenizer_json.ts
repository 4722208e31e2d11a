/** The contents of a `tokenizer.json` of our own. @module */

/** The part of `tokenizer.json` that all our tokenizers share. */
export function tokenizerJson(
  parts: {
    model: Record<string, unknown> & { vocab: Record<string, number> };
    preTokenizer: unknown;
    decoder: unknown;
    specialTokens: string[];
  },
): unknown {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: parts.specialTokens
      .filter((content) => content in parts.model.vocab)
      .map((content) => ({
        id: parts.model.vocab[content],
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
    normalizer: null,
    pre_tokenizer: parts.preTokenizer,
    post_processor: null,
    decoder: parts.decoder,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      ...parts.model,
    },
  };
}

/** `tokenizer.json` of a byte-level BPE, as GPT-2's. */
export function byteLevelJson(
  parts: { vocabulary: Record<string, number>; merges: string[]; specialTokens: string[] },
): unknown {
  const byteLevel = {
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  };
  return tokenizerJson({
    model: { vocab: parts.vocabulary, merges: parts.merges },
    preTokenizer: byteLevel,
    decoder: byteLevel,
    specialTokens: parts.specialTokens,
  });
}
