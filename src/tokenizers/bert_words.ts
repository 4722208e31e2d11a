/**
 * BERT's words: cleaned, lower-cased, without accents, cut at blanks, punctuation and Chinese
 * characters (Devlin et al. 2019, `BasicTokenizer`), each character with its place in the text.
 *
 * @module
 */

import { COMPOSED, CONTROL, MARK, PUNCTUATION } from "./bert_characters.ts";

/** What is done to a text before it is cut: the settings of a `BertNormalizer`. */
export interface BertNormalization {
  /** Leaves out control characters, and makes every white space a blank. */
  cleanText: boolean;
  /** Makes every Chinese character a word. */
  handleChineseChars: boolean;
  /** Leaves out the marks above and below letters. */
  stripAccents: boolean;
  /** Makes letters lower case. */
  lowercase: boolean;
}

/** What bert-base-uncased does. */
export const UNCASED: BertNormalization = {
  cleanText: true,
  handleChineseChars: true,
  stripAccents: true,
  lowercase: true,
};

/** A word, and where each of its characters comes from. */
export interface BertWord {
  /** The normalised characters, one code point each. */
  characters: string[];
  /** Where the text that became a character begins, in UTF-16 units as `slice` counts them. */
  begins: number[];
  /** Where it ends. */
  ends: number[];
}

/** What stands between words whatever the settings: no word and no accent reaches across. */
export const BLANKS = /[\t\n\r\p{Z}]+/u;

const WHITE_SPACE = /\p{White_Space}/u;
/** Nothing else than these: most words, for which nothing has to be looked up. */
const PLAIN = /^[A-Za-z0-9]+$/;

/** CJK ideographs, in the ranges of the Hugging Face library. */
const isChinese = (c: number): boolean =>
  (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
  (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b81f) ||
  (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) ||
  (c >= 0x2f800 && c <= 0x2fa1f);

/** The words of a text. */
export function bertWords(text: string, settings: BertNormalization = UNCASED): BertWord[] {
  if (PLAIN.test(text)) {
    return [{
      characters: (settings.lowercase ? text.toLowerCase() : text).split(""),
      begins: Array.from(text, (_, i) => i),
      ends: Array.from(text, (_, i) => i + 1),
    }];
  }
  const { characters, begins, ends } = normalize(text, settings);
  const words: BertWord[] = [];
  let word: BertWord | undefined;
  characters.forEach((character, i) => {
    const alone = character === ALONE || PUNCTUATION.test(character);
    if (alone || WHITE_SPACE.test(character)) word = undefined;
    if (character === ALONE || WHITE_SPACE.test(character)) return;
    if (!word) words.push(word = { characters: [], begins: [], ends: [] });
    word.characters.push(character);
    word.begins.push(begins[i]);
    word.ends.push(ends[i]);
    if (alone) word = undefined;
  });
  return words;
}

/** Stands beside a Chinese character, where the library writes a blank. */
const ALONE = " ";

function normalize(text: string, settings: BertNormalization): BertWord {
  const characters: string[] = [];
  const begins: number[] = [];
  const ends: number[] = [];
  const put = (character: string, begin: number, end: number): void => {
    characters.push(character);
    begins.push(begin);
    ends.push(end);
  };
  let begin = 0;
  for (const character of text) {
    const end = begin + character.length;
    const chinese = settings.handleChineseChars && isChinese(character.codePointAt(0)!);
    if (!settings.cleanText || !CONTROL.test(character)) {
      if (chinese) put(ALONE, begin, end);
      const apart = settings.stripAccents && !COMPOSED.test(character);
      const parts = apart ? character.normalize("NFD") : character;
      for (const part of parts) put(part, begin, end);
      if (chinese) put(ALONE, begin, end);
    }
    begin = end;
  }
  if (settings.stripAccents) {
    // What is left keeps its order: Unicode's own order of marks concerns those that go.
    const kept = characters.map((character) => !MARK.test(character));
    const keep = <T>(list: T[]): T[] => list.filter((_, i) => kept[i]);
    return lower(
      { characters: keep(characters), begins: keep(begins), ends: keep(ends) },
      settings,
    );
  }
  return lower({ characters, begins, ends }, settings);
}

/** Letter by letter: a word's last sigma is no other than the rest. */
function lower(word: BertWord, { lowercase }: BertNormalization): BertWord {
  if (!lowercase) return word;
  const out: BertWord = { characters: [], begins: [], ends: [] };
  word.characters.forEach((character, i) => {
    for (const part of character.toLowerCase()) {
      out.characters.push(part);
      out.begins.push(word.begins[i]);
      out.ends.push(word.ends[i]);
    }
  });
  return out;
}
