/**
 * A question and its context as BERT reads them: in windows over a long context, each with the place of
 * the answer.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { checkOptions, count } from "../../formats/option_rules.ts";
import { encodePieces, joinPair } from "../../tokenizers/bert_encoder.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { Pieces } from "../../tokenizers/pipeline.ts";
import { padSequences, type Sequence, type SequenceBatch } from "../length_batches.ts";
import type { AnswerText, Question } from "./question_answers.ts";

/** `[CLS] question [SEP] part of the context [SEP]`. */
export interface AnswerWindow extends Sequence {
  /** Segments of its tokens. */
  segments: Uint32Array;
  /** Number of the question. */
  question: number;
  /** Place of the part's first token. */
  contextBegin: number;
  /** Where each of the part's tokens begins and ends in the context, in UTF-16 units. */
  offsets: [begin: number, end: number][];
  /** Place of the answer's first token; of [CLS], 0, if the part does not hold all of it. */
  begin: number;
  /** Place of its last token. */
  end: number;
}

/** How windows are cut. */
export interface WindowOptions {
  /** The tokenizer. */
  tokenizer: Tokenizer;
  /** Ids of a window, at most. */
  contextLength: number;
  /** Tokens of the context from one window's begin to the next; by default half of a window's. */
  stride?: number;
  /** Tokens of a question, at most; by default 64, and a third of the window. */
  questionLength?: number;
}

/** Windows of all questions. */
export interface AnswerWindows {
  /** In the order of the questions. */
  windows: AnswerWindow[];
  /** Questions that lost their end to `questionLength`. */
  cutQuestions: number;
  /** Questions that have an answer, but one longer than any window: they train no answer. */
  lostAnswers: number;
}

/** Part of some pieces. */
function part({ ids, offsets, words }: Pieces, begin: number, end = ids.length): Pieces {
  return {
    ids: ids.slice(begin, end),
    offsets: offsets.slice(begin, end),
    words: words.slice(begin, end),
  };
}

/**
 * Cuts windows (Devlin et al. 2019, section 4.2, and its code's `doc_stride`): every token of a context
 * is in one window at least. Of several right answers, the first is learnt.
 *
 * @throws {VitrailError} if a question or context has no token, or a window has no room for a context
 */
export function answerWindows(
  questions: readonly (Question & { answers?: readonly AnswerText[] })[],
  options: WindowOptions,
): AnswerWindows {
  const { tokenizer, contextLength } = options;
  const { questionLength = Math.max(1, Math.min(64, Math.floor(contextLength / 3))) } = options;
  const { stride: step = 1 } = options;
  checkOptions(
    "Cannot cut contexts into windows",
    { contextLength, questionLength, stride: step },
    {
      contextLength: count,
      questionLength: count,
      stride: count,
    },
  );
  const found: AnswerWindows = { windows: [], cutQuestions: 0, lostAnswers: 0 };
  // Questions on one context come one after another.
  let known: { context: string; pieces: Pieces } | undefined;
  questions.forEach(({ id, question, context, answers = [] }, number) => {
    const asked = encodePieces(tokenizer, question);
    if (known?.context !== context) known = { context, pieces: encodePieces(tokenizer, context) };
    const { pieces } = known;
    for (const [what, { ids }] of [["question", asked], ["context", pieces]] as const) {
      if (ids.length > 0) continue;
      throw new VitrailError(`Cannot answer question ${id}: its ${what} has no words; give some`);
    }
    if (asked.ids.length > questionLength) found.cutQuestions++;
    const kept = part(asked, 0, questionLength);
    const room = contextLength - kept.ids.length - 3;
    if (room < 1) {
      throw new VitrailError(
        `Cannot answer question ${id} in ${contextLength} tokens: the question has ` +
          `${kept.ids.length}, [CLS] and [SEP] are 3, and none is left for its context`,
      );
    }
    const stride = Math.min(room, options.stride ?? Math.max(1, Math.floor(room / 2)));
    const place = answers.length > 0 ? tokensOf(answers[0], pieces) : undefined;
    if (answers.length > 0 && !place) {
      throw new VitrailError(
        `Cannot learn from question ${id}: the tokenizer leaves nothing of its answer ` +
          JSON.stringify(answers[0].text),
      );
    }
    let held = false;
    for (let from = 0;; from += stride) {
      const to = Math.min(pieces.ids.length, from + room);
      const within = part(pieces, from, to);
      const { ids, segments } = joinPair(tokenizer, kept, within);
      const contextBegin = kept.ids.length + 2;
      const holds = place !== undefined && place.first >= from && place.last < to;
      held ||= holds;
      const [begin, end] = holds
        ? [place.first, place.last].map((p) => p - from + contextBegin)
        : [0, 0];
      const { offsets } = within;
      found.windows.push({ ids, segments, question: number, contextBegin, offsets, begin, end });
      if (to === pieces.ids.length) break;
    }
    if (place && !held) found.lostAnswers++;
  });
  return found;
}

/** The tokens that an answer lies in; nothing if there are none. */
function tokensOf(
  { text, begin }: AnswerText,
  { offsets }: Pieces,
): { first: number; last: number } | undefined {
  const end = begin + text.length;
  const first = offsets.findIndex((o) => o[1] > begin);
  const last = offsets.findLastIndex((o) => o[0] < end);
  return first >= 0 && first <= last ? { first, last } : undefined;
}

/** Windows side by side, with what is asked. */
export interface AnswerBatch extends SequenceBatch {
  /** (B) place of each answer's first token. */
  begins: Int32Array;
  /** (B) place of its last token. */
  ends: Int32Array;
}

/** Pads windows. */
export function answerBatch(
  windows: readonly AnswerWindow[],
  sizes: { padId: number; contextLength: number },
): AnswerBatch {
  return {
    ...padSequences(windows, sizes),
    begins: Int32Array.from(windows, ({ begin }) => begin),
    ends: Int32Array.from(windows, ({ end }) => end),
  };
}
