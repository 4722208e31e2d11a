/**
 * What BERT reads: one text or two with [CLS] and [SEP], cut to a length, and where in the texts
 * every piece comes from.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Tokenizer } from "./json_tokenizer.ts";
import type { Pieces } from "./pipeline.ts";

/** A text, or its words if they were cut already, as tagging has them. */
export type BertText = string | readonly string[];

/** Options of `encodePair`. */
export interface EncodePairOptions {
  /** Ids at most, special tokens included; pieces come off the end of the longer text. */
  maxLength?: number;
}

/** One sequence for BERT; every list has one entry an id. */
export interface EncodedPair {
  /** Token ids: [CLS] a [SEP], or [CLS] a [SEP] b [SEP]. */
  ids: Uint32Array<ArrayBuffer>;
  /** 0 for the first text and its special tokens, 1 for the second. */
  segments: Uint32Array<ArrayBuffer>;
  /**
   * Where a piece begins and ends in its text, as `slice` counts (UTF-16 units); in its word, if
   * the text came as words. [0, 0] for special tokens.
   */
  offsets: [begin: number, end: number][];
  /** The number of a piece's word in its text; -1 for special tokens. */
  words: Int32Array<ArrayBuffer>;
  /** Pieces that did not fit. */
  dropped: number;
}

/** The pieces of one text, without special tokens. */
export function encodePieces(tokenizer: Tokenizer, text: BertText): Pieces {
  if (typeof text === "string") return tokenizer.pieces(text);
  const all: Pieces = { ids: [], offsets: [], words: [] };
  text.forEach((word, number) => {
    const { ids, offsets } = tokenizer.pieces(word);
    for (let i = 0; i < ids.length; i++) {
      all.ids.push(ids[i]);
      all.offsets.push(offsets[i]);
      all.words.push(number);
    }
  });
  return all;
}

/**
 * Encodes one text or two.
 *
 * @throws {VitrailError} if the tokenizer is none of BERT's, or the special tokens alone are longer
 * than `maxLength`.
 */
export function encodePair(
  tokenizer: Tokenizer,
  a: BertText,
  b?: BertText,
  options: EncodePairOptions = {},
): EncodedPair {
  return joinPair(
    tokenizer,
    encodePieces(tokenizer, a),
    b === undefined ? undefined : encodePieces(tokenizer, b),
    options,
  );
}

/** Puts special tokens around pieces: see `encodePair`. */
export function joinPair(
  tokenizer: Tokenizer,
  a: Pieces,
  b?: Pieces,
  { maxLength = Infinity }: EncodePairOptions = {},
): EncodedPair {
  const [cls, sep] = ["[CLS]", "[SEP]"].map((token) => {
    const id = tokenizer.tokenToId(token);
    if (id !== undefined) return id;
    throw new VitrailError(
      `Cannot encode for BERT: the tokenizer has no ${token}; wanted one of BERT's, ` +
        "or one trained with `vitrail tokenizer train --kind wordpiece`",
    );
  });
  const special = b ? 3 : 2;
  const isCount = maxLength === Infinity || Number.isSafeInteger(maxLength);
  if (!isCount || maxLength < special) {
    throw new VitrailError(
      `Cannot encode to at most ${maxLength} ids: [CLS] and [SEP] alone are ${special}`,
    );
  }
  const [keptA, keptB] = longestFirst(a.ids.length, b?.ids.length ?? 0, maxLength - special);
  const length = keptA + keptB + special;
  const out: EncodedPair = {
    ids: new Uint32Array(length),
    segments: new Uint32Array(length),
    offsets: [],
    words: new Int32Array(length).fill(-1),
    dropped: a.ids.length - keptA + (b?.ids.length ?? 0) - keptB,
  };
  const put = (id: number, segment: number): void => {
    const at = out.offsets.push([0, 0]) - 1;
    out.ids[at] = id;
    out.segments[at] = segment;
  };
  const putAll = (pieces: Pieces, kept: number, segment: number): void => {
    for (let i = 0; i < kept; i++) {
      put(pieces.ids[i], segment);
      out.offsets[out.offsets.length - 1] = pieces.offsets[i];
      out.words[out.offsets.length - 1] = pieces.words[i];
    }
    put(sep, segment);
  };
  put(cls, 0);
  putAll(a, keptA, 0);
  if (b) putAll(b, keptB, 1);
  return out;
}

/**
 * Lengths of two texts that together fit: the longer one is cut to the length of the other, then
 * both to a half each; of an odd number, the longer one keeps one more.
 */
export function longestFirst(a: number, b: number, most: number): [number, number] {
  if (a + b <= most) return [a, b];
  const [short, long] = a <= b ? [a, b] : [b, a];
  const half = Math.floor(most / 2);
  const kept = short <= half ? [short, Math.min(long, most - short)] : [half, most - half];
  return a <= b ? [kept[0], kept[1]] : [kept[1], kept[0]];
}
