/**
 * Encoding a long text word by word: a word that was seen before is looked up, not merged again.
 *
 * @module
 */
import { GPT2_WORDS } from "./byte_alphabet.ts";

/** Words remembered; with more than these, all are forgotten and learnt again. */
const MOST_WORDS = 1 << 17;
/** The longest word that is remembered. */
const LONGEST_WORD = 64;

/** Encodes with GPT-2's words. */
export class WordEncoder {
  readonly #encode: (word: string) => readonly number[];
  readonly #added: ReadonlyMap<string, number>;
  readonly #split: RegExp | undefined;
  readonly #known = new Map<string, readonly number[]>();

  /**
   * @param encode ids of one word
   * @param added tokens that are found before the text is cut into words, the longest first
   */
  constructor(
    encode: (word: string) => readonly number[],
    added: readonly { content: string; id: number }[],
  ) {
    this.#encode = encode;
    this.#added = new Map(added.map(({ content, id }) => [content, id]));
    const contents = [...this.#added.keys()].filter((content) => content !== "")
      .sort((a, b) => b.length - a.length)
      .map((content) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
    if (contents.length > 0) this.#split = new RegExp(`(${contents.join("|")})`);
  }

  /** Ids of a text. */
  encode(text: string): Uint32Array<ArrayBuffer> {
    let ids = new Uint32Array(Math.max(16, text.length >> 1));
    let count = 0;
    const put = (fresh: readonly number[]): void => {
      if (count + fresh.length > ids.length) {
        const larger = new Uint32Array(2 * (count + fresh.length));
        larger.set(ids.subarray(0, count));
        ids = larger;
      }
      for (let i = 0; i < fresh.length; i++) ids[count++] = fresh[i];
    };
    const sections = this.#split ? text.split(this.#split) : [text];
    sections.forEach((section, i) => {
      // Text and the tokens between take turns.
      if (i % 2 === 1) put([this.#added.get(section)!]);
      else for (const word of section.match(GPT2_WORDS) ?? []) put(this.#idsOf(word));
    });
    return ids.slice(0, count);
  }

  #idsOf(word: string): readonly number[] {
    const known = this.#known.get(word);
    if (known) return known;
    const ids = this.#encode(word);
    if (word.length > LONGEST_WORD) return ids;
    if (this.#known.size === MOST_WORDS) this.#known.clear();
    // A word that is a slice of a long text would keep all of the text in memory.
    this.#known.set(JSON.parse(JSON.stringify(word)), ids);
    return ids;
  }
}
