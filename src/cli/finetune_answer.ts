/**
 * `vitrail finetune answer`: from questions with answers to an answerer's directory.
 *
 * @module
 */
import type { Command } from "commander";
import { firstWords, wordOverlap } from "../data/answers/answer_baseline.ts";
import { type AnswerScores, bestThreshold, scoreAnswers } from "../data/answers/answer_scores.ts";
import {
  answerBatch,
  type AnswerWindow,
  type AnswerWindows,
  answerWindows,
} from "../data/answers/answer_windows.ts";
import { holdOut } from "../data/hold_out.ts";
import { byLength, LengthSampler } from "../data/length_batches.ts";
import {
  type QuestionAnswers,
  type QuestionFields,
  readQuestionAnswers,
} from "../data/answers/question_answers.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { type Answered, QuestionAnswerer } from "../inference/answer.ts";
import { loadAdaptedBert } from "../models/adapted_models.ts";
import type { Bert } from "../models/bert.ts";
import { ProgressBar } from "../training/progress.ts";
import { questionAnswering } from "../training/question_answering.ts";
import { BERT_PRESETS } from "./bert_presets.ts";
import {
  addBaseFlags,
  type BaseFlags,
  baseOf,
  type Begun,
  someOf,
  withBase,
} from "./finetune_base.ts";
import { whole } from "./numbers.ts";
import { print, printNotice } from "./printer.ts";
import { addDryRunFlags, addRunFlags } from "./run_flags.ts";
import { runTask, trainAction } from "./run_task.ts";

/** Adds the flags that name the fields of questions. */
export function addQuestionFields(command: Command, prefix = ""): Command {
  return command
    .option("--context-field <name>", `${prefix}field of the text that is asked about`, "context")
    .option("--question-field <name>", `${prefix}field of the question`, "question")
    .option("--answers-field <name>", `${prefix}field of the answers`, "answers");
}

/** Everything that decides a run; kept in its directory as `training.json`. */
export interface AnswerFlags extends BaseFlags, QuestionFields {
  /** Tokens of the context from one window to the next. */
  stride?: number;
  /** Tokens of an answer, at most. */
  longest: number;
}

/** Adds the command to `finetune`. */
export function addFinetuneAnswer(finetune: Command): void {
  const command = finetune.command("answer")
    .description("teach a BERT to find the answer to a question in a text")
    .option(
      "--data <file>",
      "questions with answers: SQuAD's JSON, or the rows that datasets writes of it, a list or one a " +
        "line; - for standard input",
    )
    .option("--stride <n>", "tokens from one window over a long text to the next", whole(1))
    .option("--longest <n>", "tokens of an answer at most", whole(1), 30);
  addQuestionFields(command);
  addDryRunFlags(addRunFlags(addBaseFlags(command), { steps: 2000, patience: 4 })).action(
    async (_flags: AnswerFlags, command: Command) => {
      await trainAction<AnswerFlags>(command, runFinetuneAnswer);
    },
  );
}

/** Questions on both sides. */
interface Sides {
  train: QuestionAnswers[];
  validation: QuestionAnswers[];
}

/** Fine-tunes, or goes on where there is a checkpoint to go on from. */
export async function runFinetuneAnswer(asked: AnswerFlags): Promise<AnswerScores | undefined> {
  const base = await baseOf(asked);
  const sides = await readSides(asked);
  return await withBase(asked, {
    base,
    task: "answer",
    texts: () => [...new Set(sides.train.flatMap((q) => [q.context, q.question]))],
    heads: { kind: "question-answering" },
    plan: (model) => ({
      task: questionAnswering(model),
      batchOf: (sequences) => answerBatch(sequences.map(window), model.config),
    }),
  }, (model, run) => finetune(model, { ...run, sides }));
}

/** What a run is about; a run that is only looked at needs no questions. */
async function readSides(flags: AnswerFlags): Promise<Sides> {
  if (flags.dryRun) return { train: [], validation: [] };
  const all = await readQuestionAnswers(flags.data, flags);
  return flags.validation === undefined
    ? await holdOut(all, flags.validationFraction)
    : { train: all, validation: await readQuestionAnswers(flags.validation, flags) };
}

/** These ids as a window without an answer. */
function window(ids: Uint32Array): AnswerWindow {
  const segments = new Uint32Array(ids.length);
  return { ids, segments, question: 0, contextBegin: 1, offsets: [], begin: 0, end: 0 };
}

async function finetune(
  model: Bert,
  { flags, tokenizer, part, settings, sides }: Begun<AnswerFlags> & { sides: Sides },
): Promise<AnswerScores | undefined> {
  const { config, device } = model;
  const contextLength = Math.min(flags.sequence ?? config.contextLength, config.contextLength);
  const { stride, longest } = flags;
  const batch = flags.batch ?? BERT_PRESETS[flags.preset].batch;
  const sizes = { contextLength, padId: config.padId };
  const encoded = (questions: QuestionAnswers[]) => {
    const found = answerWindows(questions, { tokenizer, contextLength, stride });
    const lengths = found.windows.map(({ ids }) => ids.length);
    const batchOf = (chosen: Uint32Array) =>
      answerBatch(Array.from(chosen, (n) => found.windows[n]), sizes);
    return { ...found, lengths, batchOf };
  };
  const train = encoded(sides.train);
  const looked = someOf(sides.validation, flags.evaluateExamples);
  const held = encoded(looked);
  const sampler = new LengthSampler(train.lengths, { batch, seed: flags.seed });
  const tokens = train.lengths.reduce((sum, length) => sum + length, 0);
  printNotice(
    `${model.parameterCount.toLocaleString("en")} parameters, ${sides.train.length} questions to ` +
      `train on in ${train.windows.length} windows (${sampler.batches} steps an epoch), ` +
      `${sides.validation.length} held out, on ${device.description}`,
  );
  if (part.adapter) printNotice(part.size);
  tellCuts({
    cutQuestions: train.cutQuestions + held.cutQuestions,
    lostAnswers: train.lostAnswers,
  }, contextLength);
  const silent = [...sides.train, ...sides.validation].some(({ answers }) => answers.length === 0);
  const answersOf = async (
    questions: QuestionAnswers[],
    of: Bert,
    onProgress?: (done: number, total: number) => void,
  ): Promise<Answered[]> =>
    await new QuestionAnswerer(of, tokenizer).answer(questions, {
      batch,
      stride,
      longest,
      threshold: silent ? 0 : undefined,
      contextLength,
      onProgress,
    });
  const scoresOf = (questions: QuestionAnswers[], answered: Answered[]): AnswerScores =>
    scoreAnswers(questions, new Map(answered.map(({ id, best }) => [id, best.text])));
  const validates = looked.length > 0;
  const result = await runTask(flags, {
    task: part.task(questionAnswering(model)),
    settings,
    resume: flags.resume,
    batchAt: (n) => train.batchOf(sampler.at(n)),
    validation: validates ? () => byLength(held.lengths, batch).map(held.batchOf) : undefined,
    config: { ...config, ...part.config, parameters: model.parameterCount, data: flags.data },
    tokensPerStep: Math.round(batch * flags.accumulation * tokens / train.lengths.length),
    measure: validates
      ? async () => {
        const { exactMatch, f1 } = scoresOf(looked, await answersOf(looked, model));
        return { exactMatch, f1 };
      }
      : undefined,
    best: validates ? "f1" : undefined,
    command: "finetune answer",
    wrote: part.wrote,
  });
  await part.merge(result);
  if (!validates || result.reason === "interrupted") return undefined;
  // The directory may hold an earlier evaluation's weights: the last words are about those.
  const { model: kept } = loadAdaptedBert(device, ...part.directories);
  const { validation } = sides;
  let bar: ProgressBar | undefined;
  const answered = await answersOf(validation, kept, (done, total) => {
    bar ??= new ProgressBar({ total, label: "evaluate", unit: "window" });
    bar.update(done, {});
  });
  bar?.finish();
  const scores = scoresOf(validation, answered);
  const always = (answer: (question: QuestionAnswers) => string): AnswerScores =>
    scoreAnswers(validation, new Map(validation.map((q) => [q.id, answer(q)])));
  const baselines: Record<string, AnswerScores> = {
    "the context's first words": always(firstWords),
    "word overlap": always(wordOverlap),
    ...silent ? { "never an answer": always(() => "") } : {},
  };
  const doubts = new Map(answered.map(({ id, span, doubt }) => [id, { text: span.text, doubt }]));
  const best = silent ? bestThreshold(validation, doubts) : undefined;
  // JSON has no infinity: where no answer at all is best, there is no threshold to keep.
  const threshold = best &&
    (Number.isFinite(best.threshold) ? best : { neverAnswer: true, f1: best.f1 });
  const found = { ...scores, ...threshold && { best: threshold }, baselines };
  writeFileAtomic(`${flags.out}/evaluation.json`, JSON.stringify(found, null, 2) + "\n");
  print(`${scoresText(scores)} (${scores.questions} questions held out)`);
  if (best) {
    const { threshold: at, f1 } = best;
    const above = Number.isFinite(at)
      ? `no answer above a doubt of ${at.toFixed(3)}`
      : "no answer ever";
    print(`${above}: F1 ${f1.toFixed(4)}, chosen on these`);
  }
  for (const [name, baseline] of Object.entries(baselines)) {
    print(`${name}: ${scoresText(baseline)}`);
  }
  return scores;
}

/** Nothing is dropped in silence. */
function tellCuts(
  { cutQuestions, lostAnswers }: Omit<AnswerWindows, "windows">,
  limit: number,
): void {
  if (cutQuestions > 0) tellCutQuestions(cutQuestions);
  if (lostAnswers > 0) {
    printNotice(
      `${lostAnswers} answers are in no window of ${limit} tokens as a whole: ` +
        "their questions are learnt to have none there",
    );
  }
}

/** Says that questions were too long. */
export function tellCutQuestions(questions: number): void {
  printNotice(`${questions} questions are too long: their ends are cut off`);
}

/** Figures in words. */
export function scoresText({ exactMatch, f1, answerable, impossible }: AnswerScores): string {
  const whole = `exact match ${exactMatch.toFixed(4)}, F1 ${f1.toFixed(4)}`;
  if (!answerable || !impossible) return whole;
  return `${whole}; with an answer: ${scoresText(answerable)}; ` +
    `without: ${impossible.exactMatch.toFixed(4)} left unanswered`;
}
