/**
 * Words of a sentence as tagged corpora write them: punctuation apart, abbreviations whole.
 *
 * @module
 */

/** A word and its place. */
export interface Word {
  /** Its characters. */
  text: string;
  /** Place of its first character, in UTF-16 units. */
  begin: number;
}

/** Punctuation; `$5`, `10%` and `#3` are words. */
const FIRST_MARK = /^(\.{2,}|-{2,}|(?![%#&@*])\p{P})/u;
const LAST_MARK = /(\.{2,}|-{2,}|(?![%#&@*])\p{P})$/u;
/** What keeps its stop: initials, abbreviations with a stop inside, and these. */
const KEEPS_STOP = /^(\p{L}|(\p{L}+\.)+\p{L}+|Mr|Mrs|Ms|Messrs|Dr|Prof|St|Mt|Jr|Sr|No|vs|etc)\.$/u;
/** Apostrophes that belong to what follows: `'em`, `'tis`. */
const KEEPS_APOSTROPHE = /^['’](em|tis|twas|til|cause|\d\ds?)(?!\p{L})/iu;

/**
 * Cuts a sentence into words: at blanks, and between a word and the punctuation before and behind it.
 * A word keeps what it has inside (`don't`, `well-known`, `3.5`) and an abbreviation its stop (`U.S.`);
 * dots in a row and dashes in a row are one word.
 */
export function splitWords(sentence: string): Word[] {
  const words: Word[] = [];
  for (const { 0: stretch, index } of sentence.matchAll(/\S+/gu)) {
    const before: Word[] = [];
    const behind: Word[] = [];
    let [begin, end] = [0, stretch.length];
    const inner = () => stretch.slice(begin, end);
    while (!KEEPS_APOSTROPHE.test(inner())) {
      const mark = inner().match(FIRST_MARK)?.[0];
      if (mark === undefined) break;
      before.push({ text: mark, begin: index + begin });
      begin += mark.length;
    }
    while (!KEEPS_STOP.test(inner())) {
      const mark = inner().match(LAST_MARK)?.[0];
      if (mark === undefined) break;
      end -= mark.length;
      behind.unshift({ text: mark, begin: index + end });
    }
    const word = begin < end ? [{ text: inner(), begin: index + begin }] : [];
    words.push(...before, ...word, ...behind);
  }
  return words;
}
