/**
 * From a text to ids: added tokens, normalizer, pre-tokenizer, model.
 *
 * @module
 */
import { type AddedToken, AddedTokenFinder } from "./added_tokens.ts";
import type { Model } from "./models/model.ts";
import type { Step } from "./pre_tokenizers.ts";
import { follow, type Rewrite } from "./rewrite.ts";

/** Pieces of a text, in order. */
export interface Pieces {
  /** The id of each piece. */
  ids: number[];
  /** Where each begins and ends in the text, as `slice` counts. */
  offsets: [begin: number, end: number][];
  /** The word that each is a part of, from 0. */
  words: number[];
}

/** What a pipeline is made of. */
export interface PipelineParts {
  /** Tokens that are found before the text is cut into words. */
  added: readonly AddedToken[];
  /** What is done to the text between them. */
  normalizer: Rewrite | undefined;
  /** How it is cut into words. */
  steps: readonly Step[];
  model: Model;
}

/** Words remembered; with more than these, all are forgotten and learnt again. */
const MOST_WORDS = 1 << 17;
/** The longest word that is remembered, in UTF-16 units. */
const LONGEST_WORD = 64;

/** A stretch of a text that is still to be cut: where its positions come from in the whole text. */
interface Stretch {
  text: string;
  /** The origin of each position; absent if `base` more is. */
  from?: Int32Array;
  base: number;
}

/** The pieces of one word by themselves, by positions in the word. */
interface WordPieces {
  ids: readonly number[];
  /** Where each piece begins, and its last position; -1 for what comes from nothing. */
  spans: readonly (readonly [first: number, last: number])[];
  /** The number of the word that each is a part of, and how many there are. */
  words: readonly number[];
  count: number;
}

/** Takes pieces of a word; `at` says where a position comes from that is `shift` more than theirs. */
type Put = (found: WordPieces, at: (position: number) => number, shift: number) => void;

/** Text to ids. */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #raw: AddedTokenFinder;
  readonly #normalized: AddedTokenFinder;
  /** Whether a word at the beginning of the text is written otherwise than the same word elsewhere. */
  readonly #mindsBeginning: boolean;
  /** The first step that cuts: what is behind it depends on the word alone, and is remembered. */
  readonly #firstCut: number;
  readonly #idsOf = new Map<string, readonly number[]>();
  readonly #piecesOf = new Map<string, WordPieces>();

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    const { added, steps } = parts;
    this.#raw = new AddedTokenFinder(added.filter((t) => !t.normalized), (t) => t.content);
    this.#normalized = new AddedTokenFinder(
      added.filter((t) => t.normalized),
      (token) => this.normalize(token.content),
    );
    this.#mindsBeginning = steps.some((step) => "rewrite" in step && step.minds === "beginning");
    const cut = steps.findIndex((step) => "cut" in step);
    this.#firstCut = cut < 0 ? steps.length : cut;
  }

  /** A text as the normalizer writes it. */
  normalize(text: string): string {
    return this.#parts.normalizer?.(text, { track: false, first: true }).text ?? text;
  }

  /** The ids of a text. */
  ids(text: string): Uint32Array<ArrayBuffer> {
    // Where a normalized text begins is known to its offsets alone.
    if (this.#mindsBeginning) return Uint32Array.from(this.pieces(text).ids);
    const out = new IdList(text.length >> 1);
    for (const { begin, end, id } of this.#raw.sections(text)) {
      if (id !== undefined) {
        out.push(id);
        continue;
      }
      const section = begin === 0 && end === text.length ? text : text.slice(begin, end);
      const normal = this.normalize(section);
      for (const inner of this.#normalized.sections(normal)) {
        if (inner.id !== undefined) {
          out.push(inner.id);
          continue;
        }
        this.#walk(normal.slice(inner.begin, inner.end), 0, out);
      }
    }
    return out.take();
  }

  /** The ids of a stretch behind step `at`. */
  #walk(text: string, at: number, out: IdList): void {
    const { steps, model } = this.#parts;
    let now = text;
    for (let i = at; i < steps.length; i++) {
      const step = steps[i];
      if ("rewrite" in step) {
        now = step.rewrite(now, { track: false, first: false }).text;
        continue;
      }
      for (const word of step.words(now)) {
        if (i === this.#firstCut) out.pushAll(this.#known(word));
        else this.#walk(word, i + 1, out);
      }
      return;
    }
    const pieces = { ids: [] as number[] };
    if (now !== "") model.encode(now, pieces);
    out.pushAll(pieces.ids);
  }

  #known(word: string): readonly number[] {
    const known = this.#idsOf.get(word);
    if (known) return known;
    const list = new IdList(word.length);
    this.#walk(word, this.#firstCut + 1, list);
    const ids = Array.from(list.take());
    remember(this.#idsOf, word, ids);
    return ids;
  }

  /**
   * The pieces of a text, and where in it each comes from.
   *
   * @param added filled with the numbers of those pieces that are added tokens, and what they matched
   */
  pieces(text: string, added: Map<number, string> = new Map()): Pieces {
    const out: Pieces = { ids: [], offsets: [], words: [] };
    let words = 0;
    for (const { begin, end, id } of this.#raw.sections(text)) {
      // What comes from nothing stands at the beginning of its section; no character is cut.
      const put = (id: number, first: number, last: number, word: number): void => {
        out.ids.push(id);
        out.offsets.push([
          first < 0 ? begin : isSecondHalf(text, first) ? first - 1 : first,
          last < 0 ? begin : isSecondHalf(text, last + 1) ? last + 2 : last + 1,
        ]);
        out.words.push(word);
      };
      if (id !== undefined) {
        added.set(out.ids.length, text.slice(begin, end));
        put(id, begin, end - 1, words++);
        continue;
      }
      const section = text.slice(begin, end);
      const { text: normal, from } =
        this.#parts.normalizer?.(section, { track: true, first: begin === 0 }) ?? { text: section };
      const origin = (position: number) => {
        const before = from && position >= 0 ? from[position] : position;
        return before < 0 ? -1 : begin + before;
      };
      const isZero = (position: number) => Math.max(origin(position), begin) === 0;
      for (const inner of this.#normalized.sections(normal)) {
        if (inner.id !== undefined) {
          added.set(out.ids.length, normal.slice(inner.begin, inner.end));
          put(inner.id, origin(inner.begin), origin(inner.end - 1), words++);
          continue;
        }
        const first = this.#mindsBeginning && isZero(inner.begin);
        this.#trace(
          { text: normal.slice(inner.begin, inner.end), base: inner.begin },
          { first, isZero, at: 0 },
          ({ ids, spans, words: numbers, count }, at, shift) => {
            for (let i = 0; i < ids.length; i++) {
              const [a, b] = spans[i];
              put(
                ids[i],
                a < 0 ? -1 : origin(at(a + shift)),
                b < 0 ? -1 : origin(at(b + shift)),
                words + numbers[i],
              );
            }
            words += count;
          },
        );
      }
    }
    return out;
  }

  /** The same for a stretch behind step `at`. */
  #trace(
    stretch: Stretch,
    options: { first: boolean; isZero: (position: number) => boolean; at: number },
    put: Put,
  ): void {
    const { steps, model } = this.#parts;
    const { isZero } = options;
    let { text: now, from, base } = stretch;
    const at = (position: number) =>
      from ? (from[position] < 0 ? -1 : base + from[position]) : base + position;
    for (let i = options.at; i < steps.length; i++) {
      const step = steps[i];
      if ("rewrite" in step) {
        const next = step.rewrite(now, { track: true, first: options.first });
        now = next.text;
        from = follow(next.from, from);
        continue;
      }
      for (const { begin, end } of step.cut(now)) {
        const word = now.slice(begin, end);
        const first = this.#mindsBeginning && isZero(at(begin));
        if (i === this.#firstCut && !first) {
          put(this.#knownPieces(word), at, begin);
          continue;
        }
        const inner: Stretch = from
          ? { text: word, from: from.subarray(begin, end), base }
          : { text: word, base: base + begin };
        this.#trace(inner, { first, isZero, at: i + 1 }, put);
      }
      return;
    }
    if (now === "") return;
    const found = { ids: [] as number[], spans: [] as [number, number][] };
    model.encode(now, found);
    put(
      {
        ids: found.ids,
        spans: found.spans.map(([begin, end]) => [begin, end - 1]),
        words: found.ids.map(() => 0),
        count: 1,
      },
      at,
      0,
    );
  }

  #knownPieces(word: string): WordPieces {
    const known = this.#piecesOf.get(word);
    if (known) return known;
    const [ids, words]: number[][] = [[], []];
    const spans: [number, number][] = [];
    let count = 0;
    const options = { first: false, isZero: () => false, at: this.#firstCut + 1 };
    this.#trace({ text: word, base: 0 }, options, (found, at, shift) => {
      found.ids.forEach((id, i) => {
        const [first, last] = found.spans[i];
        ids.push(id);
        spans.push([first < 0 ? -1 : at(first + shift), last < 0 ? -1 : at(last + shift)]);
        words.push(count + found.words[i]);
      });
      count += found.count;
    });
    const pieces = { ids, spans, words, count };
    remember(this.#piecesOf, word, pieces);
    return pieces;
  }
}

function remember<T>(memory: Map<string, T>, word: string, value: T): void {
  if (word.length > LONGEST_WORD) return;
  if (memory.size === MOST_WORDS) memory.clear();
  // A word that is a slice of a long text would keep all of the text in memory.
  memory.set(JSON.parse(JSON.stringify(word)), value);
}

function isSecondHalf(text: string, position: number): boolean {
  const code = text.charCodeAt(position);
  return code >= 0xdc00 && code < 0xe000;
}

/** A list of ids that grows. */
class IdList {
  #ids: Uint32Array<ArrayBuffer>;
  #count = 0;

  constructor(room: number) {
    this.#ids = new Uint32Array(Math.max(16, room));
  }

  push(id: number): void {
    if (this.#count === this.#ids.length) this.#grow(1);
    this.#ids[this.#count++] = id;
  }

  pushAll(ids: readonly number[]): void {
    if (this.#count + ids.length > this.#ids.length) this.#grow(ids.length);
    for (let i = 0; i < ids.length; i++) this.#ids[this.#count++] = ids[i];
  }

  take(): Uint32Array<ArrayBuffer> {
    return this.#ids.slice(0, this.#count);
  }

  #grow(least: number): void {
    const larger = new Uint32Array(2 * (this.#count + least));
    larger.set(this.#ids);
    this.#ids = larger;
  }
}
