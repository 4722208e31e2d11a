/**
 * Texts as sequences of ids, and sequences side by side in padded batches.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";

/** How a text becomes a sequence. */
export interface SequenceFormat {
  /** Ids before each text, such as `[CLS]`. */
  before: readonly number[];
  /** Ids behind each text, such as `[SEP]`. */
  after: readonly number[];
  /** Fills up short sequences. */
  padId: number;
  /** Most ids of a sequence. */
  limit: number;
  /** What becomes of a longer text: its end is cut off, which is the default, or it is divided. */
  longTexts?: LongTexts;
}

/**
 * What is done with texts that are longer than a sequence may be: `cut` leaves their ends out, `windows` makes
 * several sequences of each, of equal length, that overlap as little as may be.
 */
export type LongTexts = "cut" | "windows";

/** Texts as ids. */
export interface EncodedTexts {
  /** Ids of each text, or of each window of it, text by text. */
  sequences: Uint32Array[];
  /** The number of the text that each is of. */
  texts: number[];
  /** Which texts are longer than the limit. */
  cut: boolean[];
}

/** Sequences side by side. */
export interface PaddedBatch {
  /** (B·T) ids, padded. */
  ids: Uint32Array;
  /** Ids of each sequence that are no padding (B). */
  lengths: Uint32Array;
  /** T. */
  time: number;
}

/**
 * How a model of a family reads one text: BERT between `[CLS]` and `[SEP]`, a GPT as it stands.
 *
 * @param options.limit most ids of a sequence; the model's context at most
 * @throws {VitrailError} if the tokenizer lacks the special tokens.
 */
export function sequenceFormat(
  tokenizer: Pick<Tokenizer, "tokenToId">,
  options: { family: "bert" | "gpt2"; padId: number; limit: number },
): SequenceFormat {
  const { family, padId, limit } = options;
  if (family === "gpt2") return { before: [], after: [], padId, limit };
  const [cls, sep] = ["[CLS]", "[SEP]"].map((token) => {
    const id = tokenizer.tokenToId(token);
    if (id !== undefined) return id;
    throw new VitrailError(
      `Cannot encode texts for BERT: the tokenizer has no ${token}; give one of BERT's`,
    );
  });
  return { before: [cls], after: [sep], padId, limit };
}

/** Tokens of one word, at most about. */
const LONGEST_WORD = 128;

/** Encodes texts and says which were too long. */
export function encodeTexts(
  texts: Iterable<string>,
  tokenizer: Pick<Tokenizer, "encode">,
  { before, after, limit, padId, longTexts = "cut" }: SequenceFormat,
): EncodedTexts {
  const room = limit - before.length - after.length;
  if (room < 1) {
    throw new VitrailError(
      `Cannot put a text into ${limit} tokens: ${before.length + after.length} are special; ` +
        "give a longer --sequence",
    );
  }
  const found: EncodedTexts = { sequences: [], texts: [], cut: [] };
  for (const text of texts) {
    // The rest of a text to be cut is not looked at; a word cut in two ends well behind the limit.
    let reach = longTexts === "cut" ? 16 * room : text.length;
    let ids = tokenizer.encode(text.slice(0, reach));
    while (reach < text.length && ids.length < room + LONGEST_WORD) {
      reach *= 4;
      ids = tokenizer.encode(text.slice(0, reach));
    }
    const windows = longTexts === "cut" ? 1 : Math.max(1, Math.ceil(ids.length / room));
    for (let w = 0; w < windows; w++) {
      const from = windows === 1 ? 0 : Math.round(w * (ids.length - room) / (windows - 1));
      const whole = [...before, ...ids.subarray(from, from + room), ...after];
      // No model reads nothing at all.
      found.sequences.push(Uint32Array.from(whole.length === 0 ? [padId] : whole));
      found.texts.push(found.cut.length);
    }
    found.cut.push(ids.length > room);
  }
  return found;
}

/** T is a multiple of this: buffers of few sizes serve all batches. */
const MULTIPLE = 8;

/** Puts sequences side by side; `limit` is the model's context. */
export function padBatch(
  sequences: readonly Uint32Array[],
  { padId, limit }: Pick<SequenceFormat, "padId" | "limit">,
): PaddedBatch {
  const longest = sequences.reduce((most, { length }) => Math.max(most, length), 1);
  const time = Math.min(Math.max(limit, longest), Math.ceil(longest / MULTIPLE) * MULTIPLE);
  const ids = new Uint32Array(sequences.length * time).fill(padId);
  sequences.forEach((sequence, b) => ids.set(sequence, b * time));
  return { ids, lengths: Uint32Array.from(sequences, ({ length }) => length), time };
}

/** Numbers of sequences in batches of about one length, for evaluation: longest last. */
export function byLength(sequences: readonly Uint32Array[], batch: number): number[][] {
  const order = [...sequences.keys()].sort((a, b) =>
    sequences[a].length - sequences[b].length || a - b
  );
  return Array.from(
    { length: Math.ceil(order.length / batch) },
    (_, i) => order.slice(i * batch, (i + 1) * batch),
  );
}
