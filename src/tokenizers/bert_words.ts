/**
 * BERT's words: cleaned, lower-cased, without accents, cut at blanks, punctuation and Chinese
 * characters.
 *
 * @module
 */

import { bertNormalizer } from "./normalizers.ts";
import { makePart } from "./part.ts";
import { type CutStep, PRE_TOKENIZERS } from "./pre_tokenizers.ts";

/** What stands between words whatever the settings: no word and no accent reaches across. */
export const BLANKS = /[\t\n\r\p{Z}]+/u;

const normalize = bertNormalizer({
  clean_text: true,
  handle_chinese_chars: true,
  strip_accents: null,
  lowercase: true,
});
const [cut] = makePart({ type: "BertPreTokenizer" }, PRE_TOKENIZERS, "pre-tokenizer") as [CutStep];

/** The words of a text, as bert-base-uncased reads it. */
export function bertWords(text: string): readonly string[] {
  return cut.words(normalize(text, { track: false, first: true }).text);
}
