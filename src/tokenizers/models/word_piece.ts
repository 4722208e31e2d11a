/**
 * WordPiece (Wu et al. 2016, arXiv:1609.08144): the longest piece that fits, again and again.
 *
 * @module
 */
import { countOrNone, object, text, type ValueOf } from "../../formats/json_rules.ts";
import { type Model, type OnUnknown, type Pieces, unknownIn, vocabularyRule } from "./model.ts";

/** What the file holds. */
export const wordPieceRule = object({
  vocab: vocabularyRule,
  unk_token: text,
  continuing_subword_prefix: text,
  max_input_chars_per_word: countOrNone,
});

/** A WordPiece vocabulary. */
export class WordPieceModel implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #part: ValueOf<typeof wordPieceRule>;
  readonly #longest: number;
  readonly #onUnknown: OnUnknown;

  constructor(part: ValueOf<typeof wordPieceRule>, onUnknown: OnUnknown) {
    this.vocabulary = new Map(Object.entries(part.vocab));
    this.#part = part;
    this.#onUnknown = onUnknown;
    this.#longest = Object.keys(part.vocab).reduce((most, { length }) => Math.max(most, length), 0);
  }

  encode(word: string, out: Pieces): void {
    const before = out.ids.length;
    if (this.#cut(word, out)) return;
    const { unk_token } = this.#part;
    const unknown = this.vocabulary.get(unk_token);
    if (unknown === undefined) throw unknownIn("WordPiece", unk_token);
    this.#onUnknown(word);
    out.ids.length = before;
    out.ids.push(unknown);
    if (out.spans) {
      out.spans.length = before;
      out.spans.push([0, word.length]);
    }
  }

  /** Whether pieces make up all of a word. */
  #cut(word: string, out: Pieces): boolean {
    const { continuing_subword_prefix, max_input_chars_per_word } = this.#part;
    if (lengthOf(word, max_input_chars_per_word) > max_input_chars_per_word) return false;
    for (let begin = 0; begin < word.length;) {
      const prefix = begin > 0 ? continuing_subword_prefix : "";
      let end = Math.min(word.length, begin + this.#longest);
      let id: number | undefined;
      for (; end > begin; end--) {
        if (isInside(word, end)) continue;
        id = this.vocabulary.get(prefix + word.slice(begin, end));
        if (id !== undefined) break;
      }
      if (id === undefined) return false;
      out.ids.push(id);
      out.spans?.push([begin, end]);
      begin = end;
    }
    return true;
  }
}

/** Characters of a text, counted only if there may be more than `most`. */
function lengthOf(text: string, most: number): number {
  return text.length <= most ? text.length : [...text].length;
}

/** Whether a position lies inside of a character of two units. */
function isInside(text: string, position: number): boolean {
  const code = text.charCodeAt(position);
  return code >= 0xdc00 && code < 0xe000;
}
