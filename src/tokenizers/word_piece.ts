/**
 * WordPiece encoding (Wu et al. 2016, arXiv:1609.08144): the longest piece that fits, again and
 * again, and where in the text each piece comes from.
 *
 * @module
 */
import { type BertNormalization, type BertWord, bertWords, BLANKS } from "./bert_words.ts";

/** Pieces of a text, in order. */
export interface Pieces {
  /** The id of each piece. */
  ids: number[];
  /** Where each begins and ends in the text, as `slice` counts. */
  offsets: [begin: number, end: number][];
  /** The word that each is a part of, from 0. */
  words: number[];
}

/** A token that is found in the text before it is cut into words. */
interface AddedToken {
  id: number;
  content: string;
  lstrip?: boolean;
  rstrip?: boolean;
  single_word?: boolean;
  normalized?: boolean;
}

/** The parts of a `tokenizer.json` that are looked at here. */
interface WordPieceFile {
  added_tokens?: AddedToken[];
  normalizer?: {
    type: string;
    clean_text?: boolean;
    handle_chinese_chars?: boolean;
    strip_accents?: boolean | null;
    lowercase?: boolean;
  } | null;
  pre_tokenizer?: { type: string } | null;
  model: {
    type?: string;
    vocab: Record<string, number>;
    unk_token?: string;
    continuing_subword_prefix?: string;
    max_input_chars_per_word?: number;
  };
}

/** Stretches between blanks that are remembered; with more than these, all are forgotten. */
const MOST_KNOWN = 1 << 17;
/** The longest stretch that is remembered, in UTF-16 units. */
const LONGEST_KNOWN = 64;

/** Encodes as BERT does. */
export class WordPieceEncoder {
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #prefix: string;
  readonly #unknown: number;
  readonly #longestWord: number;
  readonly #longestPiece: number;
  readonly #settings: BertNormalization;
  readonly #added: ReadonlyMap<string, number>;
  readonly #split: RegExp | undefined;
  readonly #known = new Map<string, Pieces>();

  /** An encoder of a `tokenizer.json`; none if it asks for something else than BERT's words. */
  static of(json: WordPieceFile): WordPieceEncoder | undefined {
    const { model, normalizer, pre_tokenizer, added_tokens = [] } = json;
    const plain = added_tokens.every((t) => !t.lstrip && !t.rstrip && !t.single_word);
    const ours = model.type === "WordPiece" && normalizer?.type === "BertNormalizer" &&
      pre_tokenizer?.type === "BertPreTokenizer" && plain &&
      model.vocab[model.unk_token ?? "[UNK]"] !== undefined;
    return ours ? new WordPieceEncoder(json) : undefined;
  }

  private constructor({ model, normalizer, added_tokens = [] }: WordPieceFile) {
    this.#vocabulary = new Map(Object.entries(model.vocab));
    this.#prefix = model.continuing_subword_prefix ?? "##";
    this.#unknown = model.vocab[model.unk_token ?? "[UNK]"];
    this.#longestWord = model.max_input_chars_per_word ?? 100;
    this.#longestPiece = Object.keys(model.vocab)
      .reduce((most, token) => Math.max(most, token.length), 0);
    const lowercase = normalizer?.lowercase ?? true;
    this.#settings = {
      cleanText: normalizer?.clean_text ?? true,
      handleChineseChars: normalizer?.handle_chinese_chars ?? true,
      stripAccents: normalizer?.strip_accents ?? lowercase,
      lowercase,
    };
    this.#added = new Map(added_tokens.map(({ content, id }) => [content, id]));
    const contents = [...this.#added.keys()].filter((content) => content !== "")
      .sort((a, b) => b.length - a.length)
      .map((content) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
    if (contents.length > 0) this.#split = new RegExp(`(${contents.join("|")})`);
  }

  /** The pieces of a text; no special tokens are put around them. */
  encode(text: string): Pieces {
    const out: Pieces = { ids: [], offsets: [], words: [] };
    // Half a surrogate pair is no character: UTF-8 has U+FFFD in its place.
    const whole = text.toWellFormed();
    let words = 0;
    let at = 0;
    const sections = this.#split ? whole.split(this.#split) : [whole];
    sections.forEach((section, i) => {
      if (i % 2 === 1) {
        out.ids.push(this.#added.get(section)!);
        out.offsets.push([at, at + section.length]);
        out.words.push(words++);
        at += section.length;
        return;
      }
      for (const part of section.split(BLANK_OR_NOT)) {
        if (part !== "" && !BLANKS.test(part)) {
          const known = this.#piecesOf(part);
          for (let p = 0; p < known.ids.length; p++) {
            out.ids.push(known.ids[p]);
            const [begin, end] = known.offsets[p];
            out.offsets.push([at + begin, at + end]);
            out.words.push(words + known.words[p]);
          }
          if (known.words.length > 0) words += known.words.at(-1)! + 1;
        }
        at += part.length;
      }
    });
    return out;
  }

  #piecesOf(part: string): Pieces {
    const known = this.#known.get(part);
    if (known) return known;
    const out: Pieces = { ids: [], offsets: [], words: [] };
    bertWords(part, this.#settings).forEach((word, number) => this.#cut(word, number, out));
    if (part.length > LONGEST_KNOWN) return out;
    if (this.#known.size === MOST_KNOWN) this.#known.clear();
    // A stretch that is a slice of a long text would keep all of the text in memory.
    this.#known.set(JSON.parse(JSON.stringify(part)), out);
    return out;
  }

  /** Cuts a word into pieces, from the left, each the longest in the vocabulary. */
  #cut({ characters, begins, ends }: BertWord, number: number, out: Pieces): void {
    const ids: number[] = [];
    const offsets: [number, number][] = [];
    let begin = 0;
    if (characters.length <= this.#longestWord) {
      while (begin < characters.length) {
        let id: number | undefined;
        let end = Math.min(characters.length, begin + this.#longestPiece) + 1;
        while (id === undefined && --end > begin) {
          const piece = characters.slice(begin, end).join("");
          id = this.#vocabulary.get(begin === 0 ? piece : this.#prefix + piece);
        }
        if (id === undefined) break;
        ids.push(id);
        offsets.push([begins[begin], ends[end - 1]]);
        begin = end;
      }
    }
    if (begin === characters.length) {
      out.ids.push(...ids);
      out.offsets.push(...offsets);
    } else {
      out.ids.push(this.#unknown);
      out.offsets.push([begins[0], ends.at(-1)!]);
    }
    while (out.words.length < out.ids.length) out.words.push(number);
  }
}

/** Cuts a text into blanks and what stands between them, by turns. */
const BLANK_OR_NOT = new RegExp(`(${BLANKS.source})`, "u");
