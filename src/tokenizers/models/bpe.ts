/**
 * Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909): neighbours merge in the order in which
 * their merges were learnt.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import {
  boolean,
  either,
  listOf,
  number,
  object,
  optional,
  text,
  type ValueOf,
} from "../../formats/json_rules.ts";
import { quoteName } from "../../formats/messages.ts";
import { MinHeap } from "./min_heap.ts";
import { type Model, type OnUnknown, type Pieces, unknownIn, vocabularyRule } from "./model.ts";

const merge = listOf(text, { length: 2 });

/** What the file holds. */
export const bpeRule = object({
  vocab: vocabularyRule,
  merges: {
    ...listOf(either(text, merge)),
    wanted: "a list of merges",
  },
  dropout: optional(number),
  unk_token: optional(text),
  continuing_subword_prefix: optional(text),
  end_of_word_suffix: optional(text),
  fuse_unk: optional(boolean),
  byte_fallback: optional(boolean),
  ignore_merges: optional(boolean),
});

/** A pair of ids as one number: 2^25 is beyond any id. */
const BASE = 2 ** 25;
/** A rank and a position as one number, ordered by rank first. */
const POSITIONS = 2 ** 29;

const utf8 = new TextEncoder();

/** The symbols of a word that may still merge. */
interface Symbols {
  ids: number[];
  begins: number[];
  ends: number[];
}

/** A byte-pair encoding. */
export class BytePairModel implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #merges = new Map<number, number>();
  /** What the merge of each rank makes. */
  readonly #made: number[] = [];
  readonly #unknownToken: string | undefined;
  readonly #prefix: string;
  readonly #suffix: string;
  readonly #fuses: boolean;
  readonly #bytes: readonly number[] | undefined;
  readonly #ignoresMerges: boolean;
  readonly #onUnknown: OnUnknown;

  /** @throws {VitrailError} if a merge is not of the vocabulary. */
  constructor(part: ValueOf<typeof bpeRule>, onUnknown: OnUnknown) {
    const vocabulary = this.vocabulary = new Map(Object.entries(part.vocab));
    const known = (token: string, what: string): number => {
      const id = vocabulary.get(token);
      if (id !== undefined) return id;
      throw new VitrailError(
        `${what} ${quoteName(token)} is not in the vocabulary, wanted it there`,
      );
    };
    if (part.dropout) {
      throw new VitrailError(
        `dropout is ${part.dropout}, which makes other ids each time; wanted null`,
      );
    }
    this.#prefix = part.continuing_subword_prefix ?? "";
    this.#suffix = part.end_of_word_suffix ?? "";
    this.#onUnknown = onUnknown;
    this.#fuses = part.fuse_unk ?? false;
    this.#ignoresMerges = part.ignore_merges ?? false;
    this.#unknownToken = part.unk_token ?? undefined;
    if (part.byte_fallback) {
      const bytes = Array.from({ length: 256 }, (_, byte) => vocabulary.get(byteToken(byte)) ?? -1);
      this.#bytes = bytes;
    }
    // The first line of a merges.txt, which some files have taken along.
    const merges = part.merges.filter((m) => typeof m !== "string" || !m.startsWith("#version"));
    merges.forEach((written, rank) => {
      const [left, right, ...more] = typeof written === "string" ? written.split(" ") : written;
      if (right === undefined || more.length > 0) {
        throw new VitrailError(
          `merge ${rank + 1} is ${
            quoteName(written as string)
          }, wanted two tokens with a blank between`,
        );
      }
      const pair = known(left, "a merge's") * BASE + known(right, "a merge's");
      this.#merges.set(pair, rank);
      this.#made.push(known(left + right.slice(this.#prefix.length), "a merge's"));
    });
  }

  encode(word: string, out: Pieces): void {
    if (this.#ignoresMerges) {
      const id = this.vocabulary.get(word);
      if (id !== undefined) {
        out.ids.push(id);
        out.spans?.push([0, word.length]);
        return;
      }
    }
    this.#mergeAll(this.#characters(word), out);
  }

  /** The ids that a word begins with, and where the characters of each begin and end. */
  #characters(word: string): Symbols {
    const [ids, begins, ends]: number[][] = [[], [], []];
    let end = 0;
    // Unknown characters that are yet to be written.
    let pending: [begin: number, end: number] | undefined;
    const put = (id: number, begin: number, end: number): void => {
      ids.push(id);
      begins.push(begin);
      ends.push(end);
    };
    const flush = (): void => {
      if (pending) put(this.#unknown(), ...pending);
      pending = undefined;
    };
    for (const character of word) {
      const begin = end;
      end += character.length;
      const spelt = (begin > 0 ? this.#prefix : "") + character +
        (end === word.length ? this.#suffix : "");
      const id = this.vocabulary.get(spelt);
      if (id !== undefined) {
        flush();
        put(id, begin, end);
        continue;
      }
      const bytes = this.#bytes && Array.from(utf8.encode(spelt), (byte) => this.#bytes![byte]);
      if (bytes?.every((id) => id >= 0)) {
        // As the library does, bytes overtake unknown characters that stand before them.
        for (const byte of bytes) put(byte, begin, end);
        continue;
      }
      this.#onUnknown(character);
      if (this.#unknownToken === undefined) continue;
      if (!this.#fuses) flush();
      pending = [pending?.[0] ?? begin, end];
    }
    flush();
    return { ids, begins, ends };
  }

  #unknown(): number {
    const id = this.vocabulary.get(this.#unknownToken!);
    if (id === undefined) throw unknownIn("BPE", this.#unknownToken!);
    return id;
  }

  #mergeAll({ ids, begins, ends }: Symbols, out: Pieces): void {
    const { length } = ids;
    // Neighbours, as lists that merged symbols are taken out of.
    const next = Int32Array.from({ length }, (_, i) => i + 1);
    const before = Int32Array.from({ length }, (_, i) => i - 1);
    const gone = new Uint8Array(length);
    const queue = new MinHeap();
    const offer = (at: number): void => {
      const right = next[at];
      if (at < 0 || right >= length) return;
      const rank = this.#merges.get(ids[at] * BASE + ids[right]);
      if (rank !== undefined) queue.push(rank * POSITIONS + at);
    };
    for (let i = 0; i + 1 < length; i++) offer(i);
    for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
      const at = top % POSITIONS;
      const right = next[at];
      if (gone[at] || right >= length) continue;
      // The pair may have changed since.
      const rank = this.#merges.get(ids[at] * BASE + ids[right]);
      const made = this.#made[(top - at) / POSITIONS];
      if (rank === undefined || this.#made[rank] !== made) continue;
      ids[at] = made;
      ends[at] = ends[right];
      gone[right] = 1;
      next[at] = next[right];
      if (next[at] < length) before[next[at]] = at;
      if (before[at] >= 0) offer(before[at]);
      offer(at);
    }
    for (let i = 0; i < length; i = next[i]) {
      out.ids.push(ids[i]);
      out.spans?.push([begins[i], ends[i]]);
    }
  }
}

/** How a vocabulary writes a byte that no other token has. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}
