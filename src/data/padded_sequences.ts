/**
 * Texts as sequences of ids, and sequences side by side in padded batches.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { quoteValue } from "../formats/messages.ts";
import { checkOptions, count, countOrNone } from "../formats/option_rules.ts";
import { longestFirst } from "../tokenizers/bert_encoder.ts";
import {
  BARE_TEMPLATE,
  pairTemplate,
  type SequenceTemplate,
  sequenceTemplate,
} from "../tokenizers/sequence_template.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";

/** A text, or two that are read together: a premise and a hypothesis, two sentences to compare. */
export type TextInput = string | readonly [first: string, second: string];

/** How a text or a pair becomes a sequence. */
export interface SequenceFormat {
  /** Where special tokens stand, such as `[CLS]` and `[SEP]`. */
  template: SequenceTemplate;
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
 *
 * Of a pair, `cut` takes tokens off the end of the longer text until both are of one length, and then
 * off both (`longest_first` of `transformers`). `windows` divides the longer text, and the shorter one
 * stands in every window; of that, more than half a sequence is cut off.
 */
export type LongTexts = "cut" | "windows";

/** Texts as ids. */
export interface EncodedTexts {
  /** Ids of each text, or of each window of it, text by text. */
  sequences: Uint32Array[];
  /** Segment ids of each sequence; a sequence that lies in the first segment as a whole has none. */
  segments: (Uint32Array | undefined)[];
  /** The number of the text that each is of. */
  texts: number[];
  /** Which texts are longer than the limit. */
  long: boolean[];
  /** Which of them are in no sequence as a whole: tokens were left out. */
  cut: boolean[];
}

/** Sequences side by side. */
export interface PaddedBatch {
  /** (B·T) ids, padded. */
  ids: Uint32Array;
  /** (B·T) segment ids; all are 0 if absent. */
  segments?: Uint32Array;
  /** Ids of each sequence that are no padding (B). */
  lengths: Uint32Array;
  /** T. */
  time: number;
}

/**
 * How a model of a family reads a text or a pair: BERT as `[CLS] a [SEP] b [SEP]`, with the second text
 * in a segment of its own; a GPT as its tokenizer's post-processor says, and without one as they stand,
 * two one behind the other.
 *
 * @param options.limit most ids of a sequence; the model's context at most
 * @throws {VitrailError} if the tokenizer lacks the special tokens.
 */
export function sequenceFormat(
  tokenizer: Pick<Tokenizer, "tokenToId" | "toJson">,
  options: { family: "bert" | "gpt2"; padId: number; limit: number },
): SequenceFormat {
  const { family, padId, limit } = options;
  if (family === "gpt2") {
    return { template: sequenceTemplate(tokenizer) ?? BARE_TEMPLATE, padId, limit };
  }
  const [cls, sep] = ["[CLS]", "[SEP]"].map((token) => {
    const id = tokenizer.tokenToId(token);
    if (id !== undefined) return id;
    throw new VitrailError(
      `Cannot encode texts for BERT: the tokenizer has no ${token}; give one of BERT's`,
    );
  });
  return { template: pairTemplate(cls, [sep]), padId, limit };
}

/** Tokens of one word, at most about. */
const LONGEST_WORD = 128;

/** Encodes texts and pairs, and says which were too long. */
export function encodeTexts(
  texts: Iterable<TextInput>,
  tokenizer: Pick<Tokenizer, "encode">,
  { template, limit, padId, longTexts = "cut" }: SequenceFormat,
): EncodedTexts {
  checkOptions("Cannot encode texts", { limit, padId }, { limit: count, padId: countOrNone });
  const found: EncodedTexts = { sequences: [], segments: [], texts: [], long: [], cut: [] };
  for (const text of texts) {
    const single = typeof text === "string";
    if (!single && !(text?.length === 2 && text.every((one) => typeof one === "string"))) {
      throw new VitrailError(
        `Cannot encode text ${found.cut.length + 1}: it is ${quoteValue(text)}, wanted a text or ` +
          "a list of two",
      );
    }
    const parts = single ? template.single : template.pair;
    const special = parts.reduce((sum, part) => sum + ("ids" in part ? part.ids.length : 0), 0);
    const room = limit - special;
    if (room < (single ? 1 : 2)) {
      throw new VitrailError(
        `Cannot put a ${single ? "text" : "pair of texts"} into ${limit} tokens: ${special} are ` +
          "special; give a longer --sequence",
      );
    }
    const tokens = single
      ? [beginOf(text, tokenizer, longTexts === "cut" ? room : Infinity)]
      : text.map((one) => tokenizer.encode(one));
    const { windows, long, cut } = divide(tokens.map(({ length }) => length), room, longTexts);
    for (const spans of windows) {
      const kept = tokens.map((ids, i) => ids.subarray(...spans[i]));
      const sequence = parts.flatMap((part) => [...("ids" in part ? part.ids : kept[part.text])]);
      const segments = parts.flatMap((part) =>
        new Array<number>(("ids" in part ? part.ids : kept[part.text]).length).fill(part.segment)
      );
      // No model reads nothing at all.
      found.sequences.push(Uint32Array.from(sequence.length === 0 ? [padId] : sequence));
      const several = segments.some((segment) => segment > 0);
      found.segments.push(several ? Uint32Array.from(segments) : undefined);
      found.texts.push(found.cut.length);
    }
    found.long.push(long);
    found.cut.push(cut);
  }
  return found;
}

/** Ids of a text, of which those behind the first `count` may be missing if there are more. */
function beginOf(
  text: string,
  tokenizer: Pick<Tokenizer, "encode">,
  count: number,
): Uint32Array<ArrayBuffer> {
  // The rest of a text to be cut is not looked at; a word cut in two ends well behind the limit.
  let reach = Math.min(16 * count, text.length);
  let ids = tokenizer.encode(text.slice(0, reach));
  while (reach < text.length && ids.length < count + LONGEST_WORD) {
    reach *= 4;
    ids = tokenizer.encode(text.slice(0, reach));
  }
  return ids;
}

/** Which tokens of one text or two stand in each sequence: `[begin, end]` of each text. */
function divide(
  lengths: readonly number[],
  room: number,
  longTexts: LongTexts,
): { windows: [begin: number, end: number][][]; long: boolean; cut: boolean } {
  const [a, b = 0] = lengths;
  const kept = longestFirst(a, b, room).slice(0, lengths.length);
  const long = a + b > room;
  if (!long || longTexts === "cut") {
    return { windows: [kept.map((length) => [0, length])], long, cut: long };
  }
  const longer = a >= b ? 0 : 1;
  const share = kept[longer];
  const count = Math.ceil(lengths[longer] / share);
  const windows = Array.from(
    { length: count },
    (_, w) =>
      kept.map((length, i): [number, number] => {
        if (i !== longer) return [0, length];
        const from = Math.round(w * (lengths[i] - share) / Math.max(1, count - 1));
        return [from, from + share];
      }),
  );
  return { windows, long, cut: lengths.some((length, i) => i !== longer && length > kept[i]) };
}

/** T is a multiple of this: buffers of few sizes serve all batches. */
const MULTIPLE = 8;

/**
 * Puts sequences side by side; `limit` is the model's context.
 *
 * @param options.segments those of each sequence that has any
 */
export function padBatch(
  sequences: readonly Uint32Array[],
  { padId, limit, segments: own = [] }: Pick<SequenceFormat, "padId" | "limit"> & {
    segments?: readonly (Uint32Array | undefined)[];
  },
): PaddedBatch {
  checkOptions("Cannot pad sequences", { sequences: sequences.length, padId, limit }, {
    sequences: count,
    padId: countOrNone,
    limit: count,
  });
  const longest = sequences.reduce((most, { length }) => Math.max(most, length), 1);
  const time = Math.min(Math.max(limit, longest), Math.ceil(longest / MULTIPLE) * MULTIPLE);
  const ids = new Uint32Array(sequences.length * time).fill(padId);
  sequences.forEach((sequence, b) => ids.set(sequence, b * time));
  let segments: Uint32Array | undefined;
  own.forEach((some, b) => {
    if (some) (segments ??= new Uint32Array(ids.length)).set(some, b * time);
  });
  return { ids, segments, lengths: Uint32Array.from(sequences, ({ length }) => length), time };
}

/** Numbers of sequences in batches of about one length, for evaluation: longest last. */
export function byLength(sequences: readonly Uint32Array[], batch: number): number[][] {
  checkOptions("Cannot divide sequences into batches", { batch }, { batch: count });
  const order = [...sequences.keys()].sort((a, b) =>
    sequences[a].length - sequences[b].length || a - b
  );
  return Array.from(
    { length: Math.ceil(order.length / batch) },
    (_, i) => order.slice(i * batch, (i + 1) * batch),
  );
}
