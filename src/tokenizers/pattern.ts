/**
 * What a text is searched for: a regular expression, a text, or a class of characters; and how the
 * text is cut there.
 *
 * @module
 */
import { either, object, oneOf, type Rule, text as textRule } from "../formats/json_rules.ts";
import { translate } from "./regular_expression.ts";

/** A stretch of a text that matched, or one that lies between. Positions count UTF-16 units. */
export interface Span {
  begin: number;
  end: number;
  isMatch: boolean;
}

/** A stretch of a text. */
export type Cut = Pick<Span, "begin" | "end">;

/** How a file writes a pattern. */
export const patternRule: Rule<{ String: string } | { Regex: string }> = {
  ...either(object({ String: textRule }), object({ Regex: textRule })),
  wanted: '{ "String": … } or { "Regex": … }',
  inside: (value) => [
    Object.hasOwn(value as object, "Regex")
      ? ["Regex", (value as { Regex: string }).Regex, textRule]
      : ["String", (value as { String: string }).String, textRule],
  ],
};

/** What becomes of the stretches that matched when a text is cut. */
export type Behavior =
  | "Removed"
  | "Isolated"
  | "MergedWithPrevious"
  | "MergedWithNext"
  | "Contiguous";

/** How a file names a behavior. */
export const behaviorRule: Rule<Behavior> = oneOf(
  "Removed",
  "Isolated",
  "MergedWithPrevious",
  "MergedWithNext",
  "Contiguous",
);

/** Something to search for. */
export class Pattern {
  readonly #expression: RegExp;

  /** `source` is a regular expression of JavaScript with the flag `v`. */
  constructor(source: string) {
    this.#expression = new RegExp(source, "gv");
  }

  /** The stretches of a text in order: all that matched, and all between. */
  matches(text: string): Span[] {
    if (text === "") return [{ begin: 0, end: 0, isMatch: false }];
    const spans: Span[] = [];
    const expression = this.#expression;
    let last = 0;
    expression.lastIndex = 0;
    for (;;) {
      const match = expression.exec(text);
      if (!match) break;
      const begin = match.index;
      const end = begin + match[0].length;
      if (begin === end) {
        expression.lastIndex += text.codePointAt(begin)! > 0xffff ? 2 : 1;
        // An assertion may hold inside of a character of two units.
        if (isInsideCharacter(text, begin)) continue;
        // No empty match directly behind another one.
        if (spans.length > 0 && spans.at(-1)!.isMatch && last === begin) continue;
      }
      if (last !== begin) spans.push({ begin: last, end: begin, isMatch: false });
      spans.push({ begin, end, isMatch: true });
      last = end;
    }
    if (last !== text.length) spans.push({ begin: last, end: text.length, isMatch: false });
    return spans;
  }

  /** Cuts a text; `invert` says that what lies between is what matched. No cut is empty. */
  cut(text: string, behavior: Behavior, invert = false): Cut[] {
    if (behavior === "Removed" && invert) return this.#found(text);
    const spans = this.matches(text);
    if (invert) { for (const span of spans) span.isMatch = !span.isMatch; }
    return CUTS[behavior](spans).filter(({ begin, end }) => begin < end);
  }

  /** The matches alone. */
  #found(text: string): Cut[] {
    const cuts: Cut[] = [];
    for (const { index, 0: { length } } of text.matchAll(this.#expression)) {
      if (length > 0) cuts.push({ begin: index, end: index + length });
    }
    return cuts;
  }

  /**
   * The same cuts as texts, without their places: much faster where the matches are all of the text,
   * or all that is kept.
   */
  words(text: string, behavior: Behavior, invert = false): readonly string[] {
    const onlyMatches = behavior === "Removed" && invert;
    if (onlyMatches || behavior === "Isolated") {
      const found = text.match(this.#expression) ?? [];
      let length = 0;
      let empty = false;
      for (const word of found) {
        length += word.length;
        empty ||= word === "";
      }
      if (!empty && (onlyMatches || length === text.length)) return found;
    }
    return this.cut(text, behavior, invert).map(({ begin, end }) => text.slice(begin, end));
  }
}

function isInsideCharacter(text: string, position: number): boolean {
  const code = text.charCodeAt(position);
  return code >= 0xdc00 && code < 0xe000;
}

/** Joins a match to its neighbour, in the order in which the stretches come. */
function merge(spans: Iterable<Span>, joins: (now: boolean, before: boolean) => boolean): Cut[] {
  const cuts: Cut[] = [];
  let before = false;
  for (const { begin, end, isMatch } of spans) {
    const last = cuts.at(-1);
    if (last && joins(isMatch, before)) {
      last.begin = Math.min(last.begin, begin);
      last.end = Math.max(last.end, end);
    } else {
      cuts.push({ begin, end });
    }
    before = isMatch;
  }
  return cuts;
}

const CUTS: Record<Behavior, (spans: Span[]) => Cut[]> = {
  Removed: (spans) => spans.filter(({ isMatch }) => !isMatch),
  Isolated: (spans) => spans,
  Contiguous: (spans) => merge(spans, (now, before) => now === before),
  MergedWithPrevious: (spans) => merge(spans, (now, before) => now && !before),
  MergedWithNext: (spans) => merge(spans.toReversed(), (now, before) => now && !before).reverse(),
};

/** A regular expression that finds a text. */
const literal = (text: string): string =>
  Array.from(text, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`).join("");

/**
 * The pattern that a file names.
 *
 * @throws {VitrailError} if it is a regular expression that we do not have
 */
export function pattern(part: { String: string } | { Regex: string }): Pattern {
  return new Pattern("Regex" in part ? translate(part.Regex) : literal(part.String));
}
