/**
 * The normalizers of a `tokenizer.json`: what is done to a text before it is cut into words.
 *
 * @module
 */
import { boolean, listOf, object, optional, text } from "../formats/json_rules.ts";
import { BYTE_TO_CHARACTER } from "./byte_alphabet.ts";
import { CLASSES, toLowerCase } from "./character_classes.ts";
import { normalForm } from "./normal_forms.ts";
import { anyPart, definePart, type Part, type PartTable } from "./part.ts";
import { type Pattern, pattern, patternRule } from "./pattern.ts";
import { compose, type Rewrite, substitute } from "./rewrite.ts";

const every = (source: string): RegExp => new RegExp(source, "gv");
const CONTROL = every(CLASSES.control);
const MARK = every(CLASSES.mark);
const COMBINING = every(CLASSES.combining);
const SPACE = every(CLASSES.space);
const CHINESE = every(CLASSES.chinese);
const LEADING_SPACE = /^\p{White_Space}+/gv;
/** Tried once a run of blanks: from each of its blanks, a long run would take quadratic time. */
const TRAILING_SPACE = /(?<!\p{White_Space})\p{White_Space}+$/gv;
const utf8 = new TextEncoder();

const drop = (what: RegExp): Rewrite => (text, { track }) => substitute(text, what, "", { track });

/** Small letters; one capital, U+0130, has a small form of two characters. */
const lowercase: Rewrite = (text, { track }) => {
  const lower = toLowerCase(text);
  if (!track || lower.length === text.length) return { text: lower };
  const { text: out, from } = substitute(text, /\u0130/g, toLowerCase("\u0130"), { track });
  return { text: toLowerCase(out), from };
};

/** One character for another of the same length: positions stay. */
const swap = (what: RegExp, fresh: string): Rewrite => (text) => ({
  text: text.replace(what, fresh),
});

/** Each byte as a character of GPT-2's alphabet. */
export const toByteAlphabet: Rewrite = (text, { track }) =>
  substitute(
    text,
    /[^!-~]/gsu,
    (character) => Array.from(utf8.encode(character), (byte) => BYTE_TO_CHARACTER[byte]).join(""),
    { track },
  );

/** Replaces what a pattern finds by a text. */
export function replace(what: Pattern, content: string): Rewrite {
  return (text, { track }) => {
    const spans = what.matches(text);
    if (!track && spans.length === 1 && !spans[0].isMatch) return { text };
    let out = "";
    const from: number[] = [];
    for (const { begin, end, isMatch } of spans) {
      const part = isMatch ? content : text.slice(begin, end);
      out += part;
      if (track) { for (let i = 0; i < part.length; i++) from.push(isMatch ? end - 1 : begin + i); }
    }
    return track ? { text: out, from: Int32Array.from(from) } : { text: out };
  };
}

/** What BERT does to a text. */
export interface BertNormalization {
  /** Leaves out control characters, and makes every white space a blank. */
  clean_text: boolean;
  /** Puts blanks around Chinese characters, so that each is a word. */
  handle_chinese_chars: boolean;
  /** Leaves out the marks above and below letters; if null, as `lowercase` says. */
  strip_accents?: boolean | null;
  /** Makes letters lower case. */
  lowercase: boolean;
}

/** BERT's normalizer (Devlin et al. 2019, `BasicTokenizer`). */
export function bertNormalizer(settings: BertNormalization): Rewrite {
  const strips = settings.strip_accents ?? settings.lowercase;
  return compose([
    ...settings.clean_text ? [drop(CONTROL), swap(SPACE, " ")] : [],
    ...settings.handle_chinese_chars
      ? [
        ((text, { track }) =>
          substitute(text, CHINESE, (character) => ` ${character} `, { track })) as Rewrite,
      ]
      : [],
    ...strips ? [normalForm("NFD"), drop(MARK)] : [],
    ...settings.lowercase ? [lowercase] : [],
    (text) => ({ text }),
  ]);
}

const bare = (rewrite: Rewrite): Part<Rewrite> => definePart(object({}), () => rewrite);

/** Every normalizer that is known, by the name that the file has for it. */
export const NORMALIZERS: PartTable<Rewrite> = {
  BertNormalizer: definePart(
    object({
      clean_text: boolean,
      handle_chinese_chars: boolean,
      strip_accents: optional(boolean),
      lowercase: boolean,
    }),
    bertNormalizer,
  ),
  ByteLevel: bare(toByteAlphabet),
  Lowercase: bare(lowercase),
  NFC: bare(normalForm("NFC")),
  NFD: bare(normalForm("NFD")),
  NFKC: bare(normalForm("NFKC")),
  NFKD: bare(normalForm("NFKD")),
  Nmt: bare(compose([
    // deno-lint-ignore no-control-regex -- these are what is looked for
    drop(/[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g),
    swap(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, " "),
  ])),
  Prepend: definePart(object({ prepend: text }), ({ prepend }) => (text, { track }) => {
    if (text === "") return { text };
    const from = track
      ? Int32Array.from(
        { length: prepend.length + text.length },
        (_, i) => Math.max(0, i - prepend.length),
      )
      : undefined;
    return { text: prepend + text, from };
  }),
  Replace: definePart(
    object({ pattern: patternRule, content: text }),
    (part) => replace(pattern(part.pattern), part.content),
  ),
  Sequence: definePart(
    object({ normalizers: listOf(anyPart) }),
    ({ normalizers }, make) => compose([...normalizers.map(make), (text) => ({ text })]),
  ),
  Strip: definePart(
    object({ strip_left: boolean, strip_right: boolean }),
    ({ strip_left, strip_right }) =>
      compose([
        ...strip_left ? [drop(LEADING_SPACE)] : [],
        ...strip_right ? [drop(TRAILING_SPACE)] : [],
        (text) => ({ text }),
      ]),
  ),
  StripAccents: bare(drop(COMBINING)),
};
