/**
 * `vitrail answer`: answers to questions, as spans of a text.
 *
 * @module
 */
import type { Command } from "commander";
import { readText } from "../data/sources/text_stream.ts";
import {
  type Question,
  type QuestionFields,
  readQuestionAnswers,
  readQuestions,
} from "../data/answers/question_answers.ts";
import { VitrailError } from "../errors.ts";
import { openDevice } from "../gpu/device.ts";
import {
  type Answered,
  type AnswerOptions,
  loadQuestionAnswerer,
  type QuestionAnswerer,
} from "../inference/answer.ts";
import { addQuestionFields, scoresText, tellCutQuestions } from "./finetune_answer.ts";
import { real, whole } from "./numbers.ts";
import { print } from "./printer.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";

/** Values of the flags. */
interface Flags extends QuestionFields {
  /** Use the winners of a tuner. */
  tune: boolean;
  model: string;
  adapter?: string;
  context?: string;
  contextFile?: string;
  data?: string;
  score: boolean;
  threshold?: number;
  topK: number;
  stride?: number;
  longest: number;
  batch: number;
  json: boolean;
}

/** Adds the command to the program. */
export function addAnswer(program: Command): void {
  addQuestionFields(addTuneFlag(program.command("answer")))
    .description(
      "find the answers to questions in a text, with a model that `finetune answer` made",
    )
    .argument("[question...]", "questions on one text; see --data for a file of both")
    .option("--model <directory>", "the model")
    .option("--adapter <directory>", "a LoRA adapter of it, ours or PEFT's")
    .option("--context <text>", "the text")
    .option("--context-file <file>", "a file with the text, or - for standard input")
    .option(
      "--data <file>",
      "records with question and context, a list or one a line, or SQuAD's JSON; - for either",
    )
    .option("--score", "tell how many of the answers in --data are found", false)
    .option("--threshold <x>", "give no answer where it is likelier by this logit", real(-Infinity))
    .option("--top-k <n>", "answers to each question, the likeliest first", whole(1), 1)
    .option("--stride <n>", "tokens from one window over a long text to the next", whole(1))
    .option("--longest <n>", "tokens of an answer at most", whole(1), 30)
    .option("--batch <n>", "windows at once", whole(1), 8)
    .option("--json", "print a JSON object for each question", false)
    .action(async (questions: string[], flags: Flags) => {
      await runAnswer(questions, flags);
    });
}

async function runAnswer(given: string[], flags: Flags): Promise<void> {
  const sources = [flags.data, flags.context, flags.contextFile];
  checkAsked(given, flags, sources.filter((source) => source !== undefined).length);
  const asked = flags.score ? [] : await questionsOf(given, flags);
  const device = await openDevice();
  useTuned(device, flags);
  try {
    const answerer = await loadQuestionAnswerer(device, flags.model, flags);
    if (flags.score) return await score(answerer, flags);
    for (const [i, found] of (await answerer.answer(asked, options(flags))).entries()) {
      print(flags.json ? json(asked[i], found) : line(asked[i], found));
    }
  } finally {
    device.destroy();
  }
}

const options = ({ batch, stride, longest, topK, threshold }: Flags): AnswerOptions => ({
  batch,
  stride,
  longest,
  topK,
  threshold,
  onCut: tellCutQuestions,
});

/** Checks that there is one text, or one file, and questions on it. */
function checkAsked(given: string[], { data, score }: Flags, sources: number): void {
  if (sources > 1) {
    throw new VitrailError(
      "Cannot answer from several texts: give one of --context, --context-file and --data",
    );
  }
  if (score && data === undefined) {
    throw new VitrailError("Cannot score answers without right ones: give --data FILE");
  }
  if (data !== undefined && given.length > 0) {
    throw new VitrailError(
      `Cannot ask more than is in ${data}: leave out the questions, or --data`,
    );
  }
  if (data === undefined && (given.length === 0 || sources === 0)) {
    throw new VitrailError(
      "Cannot answer nothing: give a question and --context TEXT, --context-file FILE or " +
        "--context-file -, or give --data FILE",
    );
  }
  const empty = given.findIndex((question) => question.trim() === "");
  if (empty >= 0) throw new VitrailError(`Cannot answer question ${empty + 1}: it is empty`);
}

/** Questions of the command line on its text, or those of a file. */
async function questionsOf(given: string[], flags: Flags): Promise<Question[]> {
  const { data, context, contextFile } = flags;
  if (data !== undefined) return await readQuestions(data, flags);
  const text = context ?? await readText(contextFile!);
  if (text.trim() === "") throw new VitrailError("Cannot answer from an empty text: give words");
  return given.map((question, i) => ({ id: String(i + 1), question, context: text }));
}

function json({ question }: Question, { id, answers, doubt }: Answered): string {
  const [{ text, begin, end, score }] = answers;
  return JSON.stringify({
    id,
    question,
    text,
    begin,
    end,
    score,
    doubt,
    ...answers.length > 1 ? { answers } : {},
  });
}

/** Answers with their probabilities on one line, behind them the question. */
function line({ question }: Question, { answers }: Answered): string {
  const plain = (text: string): string => text.replace(/\s+/g, " ");
  const all = answers.map(({ text, score }) => `${score.toFixed(4)}  ${plain(text) || "(none)"}`);
  return [...all, plain(question)].join("\t");
}

/** Answers questions whose answers are known, and prints how many are right. */
async function score(answerer: QuestionAnswerer, flags: Flags): Promise<void> {
  const questions = await readQuestionAnswers(flags.data!, flags);
  const scores = await answerer.evaluate(questions, options(flags));
  print(
    flags.json ? JSON.stringify(scores) : `${scoresText(scores)} (${scores.questions} questions)`,
  );
}
