/**
 * Answers to questions, as spans of their contexts.
 *
 * @module
 */
import { computeFinite } from "../autograd/not_finite.ts";
import type { Run } from "../autograd/run.ts";
import { type AnswerScores, scoreAnswers } from "../data/answers/answer_scores.ts";
import { bestSpans, type SpanOptions, type WindowLogits } from "../data/answers/answer_spans.ts";
import { answerWindows } from "../data/answers/answer_windows.ts";
import { byLength, padSequences } from "../data/length_batches.ts";
import type { Question, QuestionAnswers } from "../data/answers/question_answers.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, count, countOrAll } from "../formats/option_rules.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { checkedModel, loadAdaptedBert } from "../models/adapted_models.ts";
import type { Bert } from "../models/bert.ts";
import { answerLogits } from "../models/bert_tasks.ts";
import { handOver } from "../models/hand_over.ts";
import { checkFit } from "../tokenizers/fitting.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { softmaxOf } from "./probabilities.ts";

/** An answer. */
export interface Answer {
  /** The span of the context; empty for no answer. */
  text: string;
  /** Place of its first character in the context, in UTF-16 units; 0 for no answer. */
  begin: number;
  /** Place behind its last character. */
  end: number;
  /** Its probability among the best spans and, where that may be, no answer. */
  score: number;
}

/** What a model says to a question. */
export interface Answered {
  /** The question's id. */
  id: string;
  /** The best answer. */
  best: Answer;
  /** The best ones, the best first. */
  answers: Answer[];
  /** The best span, whether or not it is the answer: what it would be if there had to be one. */
  span: Answer;
  /** Logit of no answer less that of the best span: the higher, the more in doubt. */
  doubt: number;
}

/** How questions are answered. */
export interface AnswerOptions extends SpanOptions {
  /** Windows at once; default 8. */
  batch?: number;
  /** Tokens from one window to the next; default half a window. */
  stride?: number;
  /** Ids of a window, at most; the model's context by default. */
  contextLength?: number;
  /** Answers to tell; default 1. */
  topK?: number;
  /** No answer may be the answer: it is where `doubt` exceeds this. Absent, a span is always given. */
  threshold?: number;
  /** Told how many windows are done, of how many. */
  onProgress?: (windows: number, total: number) => void;
  /** Told how many questions were too long and lost their ends, if any did. */
  onCut?: (questions: number) => void;
}

/** Batches whose logits are read with one wait. */
const READ_TOGETHER = 16;

/** A model that answers questions, and its tokenizer. */
export class QuestionAnswerer implements Disposable {
  /** The model. */
  readonly model: Bert;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;

  /**
   * `loadQuestionAnswerer` is the usual way in.
   *
   * @throws {VitrailError} if the model has no head for answers
   */
  constructor(model: Bert, tokenizer: Tokenizer) {
    const { kind } = model.heads.settings;
    if (kind !== "question-answering") {
      throw new VitrailError(
        `Cannot answer with this BERT: its head is for ${kind}; fine-tune it to answer first`,
      );
    }
    checkFit(tokenizer, model.config);
    this.model = model;
    this.tokenizer = tokenizer;
  }

  /** Gives the memory of the model back: its use is an error from then on. */
  [Symbol.dispose](): void {
    this.model[Symbol.dispose]();
  }

  /**
   * Answers questions from their contexts. A context that is longer than the model's is read in windows.
   *
   * @throws {VitrailError} if the tokenizer is none of BERT's, or a question or context has no words
   *
   * @example
   * ```ts
   * import { loadQuestionAnswerer, openDevice } from "../../mod.ts";
   *
   * async function print(directory: string) {
   *   const device = await openDevice();
   *   const answerer = await loadQuestionAnswerer(device, directory);
   *   const question = { id: "1", question: "Who sings?", context: "Birds sing in the morning." };
   *   const [{ best }] = await answerer.answer([question]);
   *   console.log(best.text, best.score);
   *   device.destroy();
   * }
   * ```
   */
  async answer(
    questions: readonly Question[],
    options: AnswerOptions = {},
  ): Promise<Answered[]> {
    const { model, tokenizer } = this;
    const { batch = 8, stride, contextLength = model.config.contextLength } = options;
    const { topK = 1, best = 20, longest = 30 } = options;
    checkOptions("Cannot answer questions", { batch, contextLength, topK, best, longest }, {
      batch: count,
      contextLength: count,
      topK: countOrAll,
      best: count,
      longest: countOrAll,
    });
    const { windows, cutQuestions } = answerWindows(questions, {
      tokenizer,
      contextLength: Math.min(contextLength, model.config.contextLength),
      stride,
    });
    if (cutQuestions > 0) options.onCut?.(cutQuestions);
    const said: WindowLogits[][] = questions.map(() => []);
    const batches = byLength(windows.map(({ ids }) => ids.length), batch);
    let done = 0;
    options.onProgress?.(done, windows.length);
    for (let from = 0; from < batches.length; from += READ_TOGETHER) {
      const group = batches.slice(from, from + READ_TOGETHER).map((numbers) => {
        const chosen = Array.from(numbers, (n) => windows[n]);
        return { chosen, padded: padSequences(chosen, model.config) };
      });
      const logitsOf = (
        run: Run,
        { shape, ids, segments, mask }: ReturnType<typeof padSequences>,
      ): Tensor[] => {
        const { begins, ends } = answerLogits(run, model, {
          ids: model.ids(ids, shape),
          segments: model.device.upload(Uint32Array.from(segments), shape),
          mask: mask && model.device.upload(Float32Array.from(mask), shape),
        });
        return [begins, ends];
      };
      const read = await computeFinite(
        model,
        "Cannot answer the questions",
        group.map(({ padded }) => (run) => logitsOf(run, padded)),
      );
      group.forEach(({ chosen, padded: { shape: [, time] } }, g) => {
        chosen.forEach((window, b) => {
          const [begins, ends] = read[g]
            .map((data) => Array.from(data.subarray(b * time, (b + 1) * time)));
          said[window.question].push({ window, begins, ends });
        });
        done += chosen.length;
      });
      options.onProgress?.(done, windows.length);
    }
    return questions.map((question, q) => judge(question, said[q], options));
  }

  /**
   * How good the answers are, beside those that are known. Where some questions have none, no answer is
   * given where `threshold`, 0 if absent, is exceeded.
   *
   * @returns exact match and F1, as SQuAD's scripts have them
   * @throws {VitrailError} as `answer`
   */
  async evaluate(
    questions: readonly QuestionAnswers[],
    options: AnswerOptions = {},
  ): Promise<AnswerScores> {
    const silent = questions.some(({ answers }) => answers.length === 0);
    const { threshold = silent ? 0 : undefined } = options;
    const answered = await this.answer(questions, { ...options, threshold });
    return scoreAnswers(questions, new Map(answered.map(({ id, best }) => [id, best.text])));
  }
}

/** The answer that the windows of a question give together. */
function judge(
  { id, context }: Question,
  said: readonly WindowLogits[],
  options: AnswerOptions,
): Answered {
  const { topK = 1, threshold } = options;
  const { spans, none } = bestSpans(said, options);
  if (spans.length === 0) {
    throw new VitrailError(
      `Cannot answer question ${id}: the model's logits are not finite; its weights are broken`,
    );
  }
  const doubt = none - spans[0].logit;
  const silent = threshold !== undefined;
  const scores = softmaxOf([...spans.map(({ logit }) => logit), ...silent ? [none] : []]);
  const answers: Answer[] = spans.map(({ begin, end }, i) => ({
    text: context.slice(begin, end),
    begin,
    end,
    score: scores[i],
  }));
  const span = answers[0];
  if (silent) {
    const nothing = { text: "", begin: 0, end: 0, score: scores.at(-1)! };
    // The threshold decides about the first place, probability about all others.
    const likelier = answers.filter(({ score }) => score >= nothing.score).length;
    answers.splice(doubt > threshold ? 0 : Math.max(1, likelier), 0, nothing);
  }
  return { id, best: answers[0], answers: answers.slice(0, topK), span, doubt };
}

/**
 * Opens the directory of a BERT that was fine-tuned to answer.
 *
 * @param options.adapter directory of a LoRA adapter, which brings its head to any BERT of its size
 * @throws {VitrailError} if a file is missing or broken, or the model is for something else
 */
export async function loadQuestionAnswerer(
  device: Device,
  directory: string,
  options: { adapter?: string } = {},
): Promise<QuestionAnswerer> {
  const found = checkedModel({ model: directory, adapter: options.adapter }, "bert");
  const tokenizer = await loadTokenizer(found.model);
  const { model } = loadAdaptedBert(device, found.model, found.adapter);
  return handOver(model, () => new QuestionAnswerer(model, tokenizer));
}
