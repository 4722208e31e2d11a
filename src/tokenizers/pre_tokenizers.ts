/**
 * The pre-tokenizers of a `tokenizer.json`: how a text is cut into words. Each is a few steps that cut
 * a text or rewrite it; what one leaves, the next one works on.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import {
  boolean,
  count,
  listOf,
  object,
  oneOf,
  optional,
  type Rule,
} from "../formats/json_rules.ts";
import { GPT2_WORDS } from "./byte_alphabet.ts";
import { CLASSES } from "./character_classes.ts";
import { toByteAlphabet } from "./normalizers.ts";
import { anyPart, byteLevelRule, definePart, type Part, type PartTable } from "./part.ts";
import { type Behavior, behaviorRule, type Cut, Pattern, pattern, patternRule } from "./pattern.ts";
import { type Rewrite, substitute } from "./rewrite.ts";

/** Cuts a text, or rewrites it. */
export type Step = CutStep | RewriteStep;

/** Cuts a text into words. */
export interface CutStep {
  /** Where the words are. */
  cut(text: string): Cut[];
  /** The words alone. */
  words(text: string): readonly string[];
}

/** Rewrites a text. */
export interface RewriteStep {
  rewrite: Rewrite;
  /** Whether it rewrites the beginning of a text in another way. */
  minds?: "beginning";
}

function cutAt(what: Pattern, behavior: Behavior, invert = false): CutStep {
  return {
    cut: (text) => what.cut(text, behavior, invert),
    words: (text) => what.words(text, behavior, invert),
  };
}

/** Keeps what a pattern finds, and nothing between. */
const keep = (source: string): CutStep => cutAt(new Pattern(source), "Removed", true);

const bare = (...steps: Step[]): Part<Step[]> => definePart(object({}), () => steps);

const character = (point: number): string => `\\u{${point.toString(16)}}`;

/** One character. */
const oneCharacter: Rule<string> = {
  wanted: "one character",
  holds: (value) => typeof value === "string" && /^[^]$/v.test(value),
};

/** Puts a text at the beginning unless it stands there. */
const prepend = (fresh: string, { atBeginning = false } = {}): Rewrite => (text, options) => {
  if (text.startsWith(fresh) || (atBeginning && !options.first)) return { text };
  if (!options.track) return { text: fresh + text };
  const { length } = fresh;
  return {
    text: fresh + text,
    from: Int32Array.from(
      { length: text.length + length },
      (_, i) => Math.max(0, i - length),
    ),
  };
};

const GPT2_CUT = cutAt(new Pattern(GPT2_WORDS.source), "Isolated");

/** How `Metaspace` writes a blank at the beginning. */
export const prependScheme = oneOf("first", "never", "always");

/** The scheme of a `Metaspace`, whose older files say `add_prefix_space` instead. */
export function schemeOf(
  part: { prepend_scheme?: string | null; add_prefix_space?: boolean | null },
): string {
  const { prepend_scheme, add_prefix_space } = part;
  if (add_prefix_space !== false) return prepend_scheme ?? "always";
  if (prepend_scheme === "never") return "never";
  throw new VitrailError(
    "Metaspace: add_prefix_space is false, wanted a prepend_scheme of never beside it",
  );
}

/** What a `Metaspace` holds. */
export const metaspaceRule = object({
  replacement: oneCharacter,
  prepend_scheme: optional(prependScheme),
  add_prefix_space: optional(boolean),
  split: optional(boolean),
});

/** Every pre-tokenizer that is known, by the name that the file has for it. */
export const PRE_TOKENIZERS: PartTable<Step[]> = {
  BertPreTokenizer: bare(
    keep(
      `${CLASSES.punctuation}|[^${CLASSES.punctuation}${CLASSES.space}]+`,
    ),
  ),
  ByteLevel: definePart(
    byteLevelRule,
    ({ add_prefix_space, use_regex }) => [
      ...add_prefix_space ? [{ rewrite: prepend(" ") }] : [],
      ...use_regex !== false ? [GPT2_CUT] : [],
      { rewrite: toByteAlphabet },
    ],
  ),
  CharDelimiterSplit: definePart(
    object({ delimiter: oneCharacter }),
    ({ delimiter }) => [keep(`[^${character(delimiter.codePointAt(0)!)}]+`)],
  ),
  Digits: definePart(
    object({ individual_digits: boolean }),
    ({ individual_digits }) => [
      cutAt(new Pattern(CLASSES.numeric), individual_digits ? "Isolated" : "Contiguous"),
    ],
  ),
  FixedLength: definePart(
    object({ length: optional(count) }),
    ({ length }) => [keep(`[^]{1,${Math.min(length ?? 5, 2 ** 31 - 1)}}`)],
  ),
  Metaspace: definePart(metaspaceRule, (part) => {
    const { replacement, split } = part;
    const scheme = schemeOf(part);
    const blanks: Rewrite = (text, { track }) => substitute(text, / /g, replacement, { track });
    const mark = new Pattern(character(replacement.codePointAt(0)!));
    return [
      { rewrite: blanks },
      ...scheme === "always" ? [{ rewrite: prepend(replacement) }] : [],
      ...scheme === "first"
        ? [{ rewrite: prepend(replacement, { atBeginning: true }), minds: "beginning" as const }]
        : [],
      ...split !== false ? [cutAt(mark, "MergedWithNext")] : [],
    ];
  }),
  Punctuation: definePart(
    object({ behavior: optional(behaviorRule) }),
    ({ behavior }) => [cutAt(new Pattern(CLASSES.punctuation), behavior ?? "Isolated")],
  ),
  Sequence: definePart(
    object({ pretokenizers: listOf(anyPart) }),
    ({ pretokenizers }, make) => pretokenizers.flatMap(make),
  ),
  Split: definePart(
    object({ pattern: patternRule, behavior: behaviorRule, invert: boolean }),
    (part) => [cutAt(pattern(part.pattern), part.behavior, part.invert)],
  ),
  Whitespace: bare(keep(`${CLASSES.word}+|[^${CLASSES.word}${CLASSES.space}]+`)),
  WhitespaceSplit: bare(keep(`[^${CLASSES.space}]+`)),
};
