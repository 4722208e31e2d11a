/** A vocabulary of whole words. @module */

import { object, text, type ValueOf } from "../../formats/json_rules.ts";
import { type Model, type OnUnknown, type Pieces, unknownIn, vocabularyRule } from "./model.ts";

/** What the file holds. */
export const wordLevelRule = object({ vocab: vocabularyRule, unk_token: text });

/** A vocabulary of whole words. */
export class WordLevelModel implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #unknown: string;
  readonly #onUnknown: OnUnknown;

  constructor(part: ValueOf<typeof wordLevelRule>, onUnknown: OnUnknown) {
    this.vocabulary = new Map(Object.entries(part.vocab));
    this.#unknown = part.unk_token;
    this.#onUnknown = onUnknown;
  }

  encode(word: string, out: Pieces): void {
    let id = this.vocabulary.get(word);
    if (id === undefined) {
      id = this.vocabulary.get(this.#unknown);
      if (id === undefined) throw unknownIn("WordLevel", this.#unknown);
      this.#onUnknown(word);
    }
    out.ids.push(id);
    out.spans?.push([0, word.length]);
  }
}
