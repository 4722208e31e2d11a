/**
 * Questions on texts with the spans that answer them: SQuAD's JSON, and the rows that `datasets` makes of it.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { quoteName, quoteValue, showPath } from "../../formats/messages.ts";
import { type JsonRecord, jsonRecords, recordsOf } from "../sources/json_records.ts";
import { readText, sourceName } from "../sources/text_stream.ts";
import { type AnswerText, parseAnswers, type Refuse } from "./answer_texts.ts";

export type { AnswerText };

/** A question on a context. */
export interface Question {
  /** Its name in the file. */
  id: string;
  /** What is asked. */
  question: string;
  /** What it is asked about. */
  context: string;
}

/** A question and all answers that count as right; none if the context does not answer it. */
export interface QuestionAnswers extends Question {
  /** Right answers. */
  answers: AnswerText[];
  /** Equal for the contexts of one article: they are never split up. */
  group: string;
}

/** What fields are called, where they are not called as SQuAD calls them. */
export interface QuestionFields {
  /** Field of the text that is asked about; default `context`. */
  contextField?: string;
  /** Field of the question; default `question`. */
  questionField?: string;
  /** Field of the answers; default `answers`. */
  answersField?: string;
}

/** How questions are read. */
export interface QuestionAnswersOptions extends QuestionFields {
  /** What to call the source in errors. */
  source?: string;
  /** Whether questions may come without answers. */
  unanswered?: boolean;
}

/**
 * Reads questions with their answers from a file, or `-`, standard input. It holds
 *
 * - SQuAD 1.1 or 2.0 (Rajpurkar et al. 2016, arXiv:1606.05250; 2018, arXiv:1806.03822): `{"data": [{"title",
 *   "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text", "answer_start"}],
 *   "is_impossible"}]}]}]}`, or a list of such articles or paragraphs; or
 * - records as `datasets` writes them, one a line, or a list: `{"id", "title", "context", "question",
 *   "answers": {"text": [...], "answer_start": [...]}}`, where empty lists say that there is no answer, or a
 *   list of answers as SQuAD has them. `id` and `title` may be absent.
 *
 * `answer_start` counts Unicode's characters, as Python does.
 *
 * @throws {VitrailError} if the file is no such JSON or has no question, if an answer is not in its
 * context at its place, if two questions have one id, or a question has no answer and is not said to be
 * impossible; the message names it
 */
export async function readQuestionAnswers(
  source: string,
  fields: QuestionFields = {},
): Promise<QuestionAnswers[]> {
  return await read(source, fields);
}

/**
 * Reads questions whose answers may be unknown: as `readQuestionAnswers`, with or without answers.
 *
 * @throws {VitrailError} if it cannot be read, holds no question, or lacks one's text or context
 */
export async function readQuestions(
  source: string,
  fields: QuestionFields = {},
): Promise<Question[]> {
  const questions = await read(source, { ...fields, unanswered: true });
  return questions.map(({ id, question, context }) => ({ id, question, context }));
}

async function read(path: string, options: QuestionAnswersOptions): Promise<QuestionAnswers[]> {
  const source = sourceName(path);
  const refuse: Refuse = (reason) => new VitrailError(`Cannot read ${source}: ${reason}`);
  return questionsOf(jsonRecords(await readText(path), refuse), { ...options, refuse });
}

/**
 * The questions of parsed JSON, as `readQuestionAnswers` reads them from a file.
 *
 * @param json an object with a list under `data`, that list, or one of its items
 */
export function parseQuestionAnswers(
  json: Record<string, unknown> | readonly Record<string, unknown>[],
  options: QuestionAnswersOptions = {},
): QuestionAnswers[] {
  const source = showPath(options.source ?? "these questions");
  const refuse: Refuse = (reason) => new VitrailError(`Cannot read ${source}: ${reason}`);
  return questionsOf(recordsOf(json, refuse), { ...options, refuse });
}

/** A question with its text, and where it is. */
interface Found {
  qa: Record<string, unknown>;
  context: string;
  /** The name of its article, if it has one. */
  group: string;
  refuse: Refuse;
  /** Whether empty answers say that there is none; SQuAD says so by `is_impossible`. */
  flat: boolean;
}

function questionsOf(
  records: readonly JsonRecord[],
  options: QuestionAnswersOptions & { refuse: Refuse },
): QuestionAnswers[] {
  const { unanswered, refuse, questionField = "question", answersField = "answers" } = options;
  const questions: QuestionAnswers[] = [];
  const known = new Map<string, Question>();
  for (const { qa, context, group, refuse: refuseHere, flat } of foundIn(records, options)) {
    const { id: given = null } = qa;
    if (given !== null && typeof given !== "string" && typeof given !== "number") {
      throw refuseHere(`id is ${quoteValue(given)}, wanted a text or a number`);
    }
    const id = String(given ?? questions.length + 1);
    const inQuestion: Refuse = flat
      ? refuseHere
      : (reason) => refuse(`in question ${quoteName(id)}, ${reason}`);
    const question = text(qa, questionField, inQuestion);
    const same = known.get(id);
    if (same && (same.question !== question || same.context !== context)) {
      throw inQuestion(`the id ${quoteName(id)} is another question's too; wanted one for each`);
    }
    // Impossible questions of SQuAD 2.0 have plausible answers, under another name.
    const none = qa.is_impossible === true ||
      unanswered && (qa[answersField] === undefined || qa[answersField] === null);
    const answers = none ? [] : parseAnswers(qa, { answersField, context, refuse: inQuestion });
    if (answers.length === 0 && !none && !unanswered && (!flat || qa.is_impossible === false)) {
      throw inQuestion("there is no answer; wanted one, or is_impossible: true");
    }
    questions.push({ id, question, context, group, answers });
    known.set(id, questions.at(-1)!);
  }
  if (questions.length > 0) return questions;
  throw refuse("it holds no question; wanted SQuAD's JSON with questions in it, or rows of it");
}

/** The questions of articles, of paragraphs, and of rows that are a question each. */
function* foundIn(
  records: readonly JsonRecord[],
  { contextField = "context", questionField = "question", refuse }: QuestionFields & {
    refuse: Refuse;
  },
): Generator<Found> {
  for (const [a, { record, place }] of records.entries()) {
    const group = typeof record.title === "string" ? record.title : undefined;
    if (!("paragraphs" in record || "qas" in record)) {
      const here: Refuse = (reason) => refuse(`${place}, ${reason}`);
      const missing = [contextField, questionField].filter((field) =>
        !Object.hasOwn(record, field)
      );
      if (missing.length === 2 && records.length === 1) list(record, "data", refuse);
      if (missing.length > 0) {
        const flag = missing[0] === contextField ? "--context-field" : "--question-field";
        const there = Object.keys(record).slice(0, 9).map(quoteName).join(", ") || "no field";
        throw here(`${missing[0]} is absent; the record has ${there}, choose with ${flag}`);
      }
      const context = text(record, contextField, here);
      yield { qa: record, context, group: group ?? context, refuse: here, flat: true };
      continue;
    }
    const paragraphs = "qas" in record ? [record] : list(record, "paragraphs", refuse);
    for (const [p, paragraph] of paragraphs.entries()) {
      const here: Refuse = (reason) =>
        refuse(`in paragraph ${p + 1} of article ${a + 1}, ${reason}`);
      const context = text(paragraph, contextField, here);
      for (const qa of list(paragraph, "qas", here)) {
        yield { qa, context, group: group ?? `article ${a + 1}`, refuse: here, flat: false };
      }
    }
  }
}

/** A list of objects in an object. */
function list(from: Record<string, unknown>, key: string, refuse: Refuse) {
  const value = from[key];
  const objects = Array.isArray(value) && value.every((v) => typeof v === "object" && v !== null);
  if (objects) return value as Record<string, unknown>[];
  throw refuse(`${key} is ${quoteValue(value)}, wanted a list of objects`);
}

function text(from: Record<string, unknown>, key: string, refuse: Refuse): string {
  const value = from[key];
  if (typeof value === "string" && value.trim() !== "") return value;
  throw refuse(`${key} is ${quoteValue(value)}, wanted a text`);
}
