/**
 * Tokens that are found in a text before it is cut into words.
 *
 * @module
 */
import {
  boolean,
  countOrNone,
  listOf,
  object,
  optional,
  type Rule,
  text,
  type ValueOf,
} from "../formats/json_rules.ts";
import { VitrailError } from "../errors.ts";
import { quoteName } from "../formats/messages.ts";
import { CLASSES } from "./character_classes.ts";

/** What a file says of such a token. */
export const addedTokenRule = object({
  id: countOrNone,
  content: text,
  single_word: boolean,
  lstrip: boolean,
  rstrip: boolean,
  normalized: boolean,
  special: boolean,
});

/** Such a token. */
export type AddedToken = ValueOf<typeof addedTokenRule>;

/** A list of them. */
export const addedTokensRule: Rule<AddedToken[] | null | undefined> = optional(
  listOf(addedTokenRule),
);

/** A stretch of a text; with an `id`, an added token. */
export interface Section {
  begin: number;
  end: number;
  id?: number;
}

interface Node {
  token?: AddedToken;
  next: Map<string, Node>;
}

const WORD_BEFORE = new RegExp(`${CLASSES.word}$`, "v");
const WORD_BEHIND = new RegExp(`^${CLASSES.word}`, "v");
const SPACE = new RegExp(CLASSES.space, "v");

/** Finds added tokens, the longest of those that begin first. */
export class AddedTokenFinder {
  readonly #root: Node = { next: new Map() };
  /** What one may begin with. */
  readonly #beginning: RegExp | undefined;

  /** `tokens` are looked for as `spelling` writes them. */
  constructor(tokens: Iterable<AddedToken>, spelling: (token: AddedToken) => string) {
    for (const token of tokens) {
      let node = this.#root;
      for (const unit of spelling(token).split("")) {
        let next = node.next.get(unit);
        if (!next) node.next.set(unit, next = { next: new Map() });
        node = next;
      }
      if (node === this.#root) {
        throw new VitrailError(
          `added token ${quoteName(token.content)} is no text once it is normalized, wanted some`,
        );
      }
      if (node.token && node.token.id !== token.id) {
        throw new VitrailError(
          `added tokens ${quoteName(node.token.content)} and ${quoteName(token.content)} are the ` +
            "same text once they are normalized, wanted each by itself",
        );
      }
      node.token = token;
    }
    const units = [...this.#root.next.keys()]
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
    // Without a flag for Unicode, it sees the halves of a character, as the tree does.
    if (units.length > 0) this.#beginning = new RegExp(`[${units.join("")}]`, "g");
  }

  /** The sections of a text, in order; none is empty. */
  sections(text: string): Section[] {
    const sections: Section[] = [];
    let done = 0;
    for (const { begin, end, token } of this.#matches(text)) {
      if (token.single_word && !isWholeWord(text, begin, end)) continue;
      let [first, last] = [begin, end];
      if (token.lstrip) { while (first > done && SPACE.test(text[first - 1])) first--; }
      if (token.rstrip) { while (last < text.length && SPACE.test(text[last])) last++; }
      first = token.lstrip ? Math.max(first, done) : first;
      if (done < first) sections.push({ begin: done, end: first });
      sections.push({ begin: first, end: last, id: token.id });
      done = last;
    }
    if (done < text.length) sections.push({ begin: done, end: text.length });
    return sections;
  }

  *#matches(text: string): Generator<{ begin: number; end: number; token: AddedToken }> {
    if (!this.#beginning) return;
    const beginning = new RegExp(this.#beginning);
    while (beginning.test(text)) {
      const begin = beginning.lastIndex - 1;
      let node = this.#root.next.get(text[begin]);
      let found: { end: number; token: AddedToken } | undefined;
      for (let end = begin + 1; node; end++) {
        if (node.token) found = { end, token: node.token };
        node = node.next.get(text[end]);
      }
      if (!found) continue;
      beginning.lastIndex = found.end;
      yield { begin, ...found };
    }
  }
}

function isWholeWord(text: string, begin: number, end: number): boolean {
  // Two units are enough for the character on either side.
  return !WORD_BEFORE.test(text.slice(Math.max(0, begin - 2), begin)) &&
    !WORD_BEHIND.test(text.slice(end, end + 2));
}
