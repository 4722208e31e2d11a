/**
 * Questions on texts with the spans that answer them: SQuAD's JSON.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { parseJsonObject } from "../../formats/json_file.ts";
import { quoteName, quoteValue, showPath } from "../../formats/messages.ts";
import { readText, sourceName } from "../sources/text_stream.ts";

/** A part of a context that answers a question. */
export interface AnswerText {
  /** The part. */
  text: string;
  /** Place of its first character in the context, in JavaScript's (UTF-16) units. */
  begin: number;
}

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

/**
 * Reads a file, or `-`, standard input, as SQuAD 1.1 and 2.0 have it (Rajpurkar et al. 2016, arXiv:1606.05250; 2018,
 * arXiv:1806.03822): `{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question",
 * "answers": [{"text", "answer_start"}], "is_impossible"}]}]}]}`. Its `answer_start` counts Unicode's
 * characters, as Python does.
 *
 * @throws {VitrailError} if the file is no such JSON or has no question, if an answer is not in its
 * context at its place, or a question has none and is not said to be impossible; the message names it
 */
export async function readQuestionAnswers(source: string): Promise<QuestionAnswers[]> {
  const name = sourceName(source);
  return parseQuestionAnswers(parseJsonObject(await readText(source), name), { source: name });
}

/**
 * Reads questions whose answers nobody need know: a record `{"question", "context"}` a line, with an
 * optional `"id"`, or SQuAD's JSON with or without answers; from a file, or `-`, standard input.
 *
 * @throws {VitrailError} if it cannot be read, holds no question, or lacks one's text or context
 */
export async function readQuestions(source: string): Promise<Question[]> {
  const name = sourceName(source);
  const content = await readText(source);
  const lines = content.split("\n").map((line, i) => ({ line, place: `line ${i + 1}` }))
    .filter(({ line }) => line.trim() !== "");
  if (!/\.(jsonl|ndjson)$/i.test(source) && !isQuestion(lines[0]?.line)) {
    const json = parseJsonObject(content, name);
    return parseQuestionAnswers(json, { source: name, unanswered: true });
  }
  return lines.map(({ line, place }, i) => {
    const refuse: Refuse = (reason) => new VitrailError(`Cannot read ${name}: ${place}, ${reason}`);
    const record = parseJsonObject(line, `${name}, ${place}`);
    return {
      id: String(record.id ?? i + 1),
      question: text(record, "question", refuse),
      context: text(record, "context", refuse),
    };
  });
}

/** Whether a line alone is a record with a question. */
function isQuestion(line = ""): boolean {
  try {
    return typeof JSON.parse(line).question === "string";
  } catch {
    return false;
  }
}

/** What is wrong, and with what. */
type Refuse = (reason: string) => VitrailError;

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

/**
 * The questions of SQuAD's JSON, as `readQuestionAnswers` reads them from a file.
 *
 * @param options.unanswered whether questions may come without answers
 */
export function parseQuestionAnswers(
  json: Record<string, unknown>,
  options: { source?: string; unanswered?: boolean } = {},
): QuestionAnswers[] {
  const source = showPath(options.source ?? "these questions");
  const refuse: Refuse = (reason) => new VitrailError(`Cannot read ${source}: ${reason}`);
  const found: QuestionAnswers[] = [];
  list(json, "data", refuse).forEach((article, a) => {
    list(article, "paragraphs", refuse).forEach((paragraph, p) => {
      const inParagraph: Refuse = (reason) =>
        refuse(`in paragraph ${p + 1} of article ${a + 1}, ${reason}`);
      const context = text(paragraph, "context", inParagraph);
      const place = placesOf(context);
      const group = typeof article.title === "string" ? article.title : `article ${a + 1}`;
      for (const qa of list(paragraph, "qas", inParagraph)) {
        const id = String(qa.id ?? found.length + 1);
        const inQuestion: Refuse = (reason) => refuse(`in question ${quoteName(id)}, ${reason}`);
        const question = text(qa, "question", inQuestion);
        // Impossible questions of SQuAD 2.0 have plausible answers, under another name.
        const silent = qa.is_impossible === true || (options.unanswered && !qa.answers);
        const answers = silent ? [] : list(qa, "answers", inQuestion);
        if (answers.length === 0 && !silent && !options.unanswered) {
          throw inQuestion("there is no answer; wanted one, or is_impossible: true");
        }
        found.push({
          id,
          question,
          context,
          group,
          answers: answers.map((answer) => parseAnswer(answer, { context, place, inQuestion })),
        });
      }
    });
  });
  if (found.length > 0) return found;
  throw refuse("it holds no question; wanted SQuAD's JSON with questions in it");
}

function parseAnswer(
  answer: Record<string, unknown>,
  { context, place, inQuestion }: {
    context: string;
    place: (characters: number) => number | undefined;
    inQuestion: Refuse;
  },
): AnswerText {
  const wanted = text(answer, "text", inQuestion);
  const start = answer.answer_start;
  const begin = Number.isSafeInteger(start) ? place(start as number) : undefined;
  if (begin === undefined || begin + wanted.length > context.length) {
    throw inQuestion(
      `the answer ${quoteName(wanted)} at ${quoteValue(start)} is outside its context of ` +
        `${[...context].length} characters`,
    );
  }
  const there = context.slice(begin, begin + wanted.length);
  if (there === wanted) return { text: wanted, begin };
  throw inQuestion(
    `the answer ${quoteName(wanted)} should be at ${start}, where the context has ` +
      `${quoteName(there)}`,
  );
}

/** From places in Unicode's characters to places in UTF-16; they differ behind an emoji. */
function placesOf(context: string): (characters: number) => number | undefined {
  let places: number[] | undefined;
  if (/[\u{10000}-\u{10ffff}]/u.test(context)) {
    places = [];
    let at = 0;
    for (const character of context) {
      places.push(at);
      at += character.length;
    }
  }
  const length = places?.length ?? context.length;
  return (n) => n >= 0 && n < length ? places?.[n] ?? n : undefined;
}
