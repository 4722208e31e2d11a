/**
 * Examples as ids whose prompts are no targets, in padded batches.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { checkOptions, count, countOrNone } from "../../formats/option_rules.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { Example, Piece } from "./completions.ts";

/** Target that counts for nothing. */
const IGNORED = -100;

/** One example, ready for a model. */
export interface EncodedExample {
  /** Ids (T). */
  inputs: Uint32Array;
  /** The next ids; -100 where the next is only read (T). */
  targets: Int32Array;
}

/** Examples, and how many did not fit. */
export interface EncodedExamples {
  /** In the order in which they came. */
  examples: EncodedExample[];
  /** How many lost the beginning of their prompt to the limit. */
  shortened: number;
  /** How many lost the end of their completion. */
  cut: number;
}

/** Examples side by side. */
export interface CompletionBatch {
  /** (B, T). */
  shape: [number, number];
  /** (B·T) ids, padded behind. */
  inputs: Uint32Array;
  /** (B·T) the next ids; -100 in prompts and padding. */
  targets: Int32Array;
}

/**
 * Pieces as ids, each encoded by itself: at generation the prompt stands alone too. A text that begins
 * with nothing to read begins with the end of the text before it, if the tokenizer has such an id.
 */
export function encodeTurns(
  pieces: readonly Piece[],
  tokenizer: Pick<Tokenizer, "encode" | "endOfText">,
): { ids: number[]; learnt: boolean[] } {
  const { endOfText } = tokenizer;
  const ids: number[] = [];
  const learnt: boolean[] = [];
  for (const piece of pieces) {
    const found = tokenizer.encode(piece.text);
    if (ids.length === 0 && endOfText !== undefined && (piece.learnt || found.length === 0)) {
      ids.push(endOfText);
      learnt.push(false);
    }
    for (const id of found) {
      ids.push(id);
      learnt.push(piece.learnt);
    }
  }
  return { ids, learnt };
}

/**
 * Encodes examples; one that ends with something learnt ends with the tokenizer's end of text, which is
 * learnt too. What is longer than `limit` loses the beginning of what is read first, and where that is
 * not enough, its end; both are counted.
 *
 * @param options.limit most tokens that the model reads at once
 * @throws {VitrailError} if nothing of an example is left to learn
 */
export function encodeExamples(
  examples: Iterable<Example>,
  tokenizer: Pick<Tokenizer, "encode" | "endOfText">,
  { limit }: { limit: number },
): EncodedExamples {
  checkOptions("Cannot encode examples", { limit }, { limit: count });
  const found: EncodedExamples = { examples: [], shortened: 0, cut: 0 };
  for (const { pieces, place } of examples) {
    const { ids, learnt } = encodeTurns(pieces, tokenizer);
    if (pieces.at(-1)?.learnt && tokenizer.endOfText !== undefined) {
      ids.push(tokenizer.endOfText);
      learnt.push(true);
    }
    // The last id is only a target.
    const excess = Math.max(0, ids.length - limit - 1);
    const begin = Math.min(excess, Math.max(0, learnt.indexOf(true) - 1));
    const end = begin + Math.min(ids.length, limit + 1);
    found.shortened += begin > 0 ? 1 : 0;
    found.cut += end < ids.length ? 1 : 0;
    const targets = Int32Array.from(
      ids.slice(begin + 1, end),
      (id, i) => learnt[begin + 1 + i] ? id : IGNORED,
    );
    if (targets.every((target) => target === IGNORED)) {
      throw new VitrailError(
        `Cannot learn from ${place}: no token of it is left to learn; wanted a token to read and one ` +
          "to write at least",
      );
    }
    found.examples.push({ inputs: Uint32Array.from(ids.slice(begin, end - 1)), targets });
  }
  return found;
}

/** T is a multiple of this, where the context allows: buffers of few sizes serve all batches. */
const MULTIPLE = 8;

/**
 * Puts examples side by side. Padding stands behind them, where no token of theirs sees it, and is no
 * target.
 *
 * @param options.limit the model's context
 */
export function completionBatch(
  examples: readonly EncodedExample[],
  { padId, limit }: { padId: number; limit: number },
): CompletionBatch {
  checkOptions("Cannot put examples into a batch", { examples: examples.length, padId, limit }, {
    examples: count,
    padId: countOrNone,
    limit: count,
  });
  const longest = examples.reduce((most, { inputs }) => Math.max(most, inputs.length), 1);
  const T = Math.max(longest, Math.min(limit, Math.ceil(longest / MULTIPLE) * MULTIPLE));
  const inputs = new Uint32Array(examples.length * T).fill(padId);
  const targets = new Int32Array(inputs.length).fill(IGNORED);
  examples.forEach((example, b) => {
    inputs.set(example.inputs, b * T);
    targets.set(example.targets, b * T);
  });
  return { shape: [examples.length, T], inputs, targets };
}
