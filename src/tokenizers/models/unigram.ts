/**
 * A unigram language model (Kudo 2018, arXiv:1804.10959): of all ways to cut a word, the one whose
 * pieces are the most probable together.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import {
  boolean,
  countOrNone,
  number,
  object,
  optional,
  type Rule,
  text,
  type ValueOf,
} from "../../formats/json_rules.ts";
import { byteToken } from "./bpe.ts";
import { type Model, type OnUnknown, type Pieces, unknownIn } from "./model.ts";

/** A token and the logarithm of its probability. */
const scored: Rule<[string, number]> = {
  wanted: "a token and its score",
  holds: (value) =>
    Array.isArray(value) && value.length === 2 && text.holds(value[0]) && number.holds(value[1]),
};

/** What the file holds. */
export const unigramRule = object({
  vocab: {
    wanted: "a list of tokens and their scores",
    holds: Array.isArray,
    inside: (value: unknown) => (value as unknown[]).map((item, i) => [i, item, scored] as const),
  } as Rule<[string, number][]>,
  unk_id: optional(countOrNone),
  byte_fallback: optional(boolean),
});

/** How much less probable than the least probable token an unknown character is. */
const PENALTY = 10;

interface Node {
  id?: number;
  next: Map<string, Node>;
}

const utf8 = new TextEncoder();

/** A unigram model. */
export class UnigramModel implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #scores: readonly number[];
  readonly #trie: Node = { next: new Map() };
  readonly #unknown: number | undefined;
  readonly #unknownScore: number;
  readonly #hasBytes: boolean;
  readonly #onUnknown: OnUnknown;

  /** @throws {VitrailError} if the unknown token is not in the vocabulary. */
  constructor(part: ValueOf<typeof unigramRule>, onUnknown: OnUnknown) {
    const { vocab, unk_id } = part;
    this.vocabulary = new Map(vocab.map(([token], id) => [token, id]));
    this.#scores = vocab.map(([, score]) => score);
    this.#unknown = unk_id ?? undefined;
    this.#unknownScore = this.#scores.reduce((a, b) => Math.min(a, b), Infinity) - PENALTY;
    this.#hasBytes = part.byte_fallback ?? false;
    this.#onUnknown = onUnknown;
    if (this.#unknown !== undefined && this.#unknown >= vocab.length) {
      throw new VitrailError(
        `unk_id is ${unk_id}, wanted an id of its ${vocab.length} tokens`,
      );
    }
    for (const [token, id] of this.vocabulary) {
      let node = this.#trie;
      for (const character of token) {
        let next = node.next.get(character);
        if (!next) node.next.set(character, next = { next: new Map() });
        node = next;
      }
      node.id = id;
    }
  }

  encode(word: string, out: Pieces): void {
    for (const [begin, end] of this.#bestPath(word)) {
      const piece = word.slice(begin, end);
      const id = this.vocabulary.get(piece);
      const bytes = id === undefined && this.#hasBytes
        ? Array.from(utf8.encode(piece), (byte) => this.vocabulary.get(byteToken(byte)) ?? -1)
        : [-1];
      if (id !== undefined) {
        out.ids.push(id);
        out.spans?.push([begin, end]);
      } else if (bytes.every((id) => id >= 0)) {
        for (const id of bytes) {
          out.ids.push(id);
          out.spans?.push([begin, end]);
        }
      } else {
        this.#onUnknown(piece);
        out.ids.push(this.#unknown!);
        out.spans?.push([begin, end]);
      }
    }
  }

  /** Where the pieces of a word begin and end; unknown ones in a row are one. */
  #bestPath(word: string): [begin: number, end: number][] {
    const { length } = word;
    const scores = new Float64Array(length + 1);
    const begins = new Int32Array(length + 1).fill(-1);
    const ids = new Int32Array(length + 1);
    const offer = (begin: number, end: number, id: number, score: number): void => {
      if (begins[end] >= 0 && !(score > scores[end])) return;
      [scores[end], begins[end], ids[end]] = [score, begin, id];
    };
    for (let begin = 0; begin < length;) {
      const first = String.fromCodePoint(word.codePointAt(begin)!);
      let node = this.#trie.next.get(first);
      let end = begin + first.length;
      const isKnown = node?.id !== undefined;
      while (node) {
        if (node.id !== undefined) {
          offer(begin, end, node.id, this.#scores[node.id] + scores[begin]);
        }
        if (end >= length) break;
        const character = String.fromCodePoint(word.codePointAt(end)!);
        end += character.length;
        node = node.next.get(character);
      }
      if (!isKnown) {
        if (this.#unknown === undefined) throw unknownIn("Unigram", "unk_id");
        offer(begin, begin + first.length, this.#unknown, this.#unknownScore + scores[begin]);
      }
      begin += first.length;
    }
    const path: [number, number][] = [];
    let fusing = false;
    for (let end = length; end > 0;) {
      const begin = begins[end];
      const isUnknown = ids[end] === this.#unknown;
      if (isUnknown && fusing) path.at(-1)![0] = begin;
      else path.push([begin, end]);
      fusing = isUnknown;
      end = begin;
    }
    return path.reverse();
  }
}
