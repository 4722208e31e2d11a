/**
 * The answers of a question as files have them, checked against the text that they are a part of.
 *
 * @module
 */
import type { VitrailError } from "../../errors.ts";
import { quoteName, quoteValue } from "../../formats/messages.ts";

/** A part of a context that answers a question. */
export interface AnswerText {
  /** The part. */
  text: string;
  /** Place of its first character in the context, in JavaScript's (UTF-16) units. */
  begin: number;
}

/** Makes an error from what is wrong. */
export type Refuse = (reason: string) => VitrailError;

/**
 * The answers of a question: a list of `{"text", "answer_start"}`, one of these, or lists of both, as
 * `datasets` has them, also in two fields of their own (`answers.text`).
 *
 * @throws {VitrailError} if they are something else, or an answer is not in its context at its place
 */
export function parseAnswers(
  qa: Record<string, unknown>,
  { answersField, context, refuse }: { answersField: string; context: string; refuse: Refuse },
): AnswerText[] {
  const [texts, starts] = ["text", "answer_start"].map((part) => qa[`${answersField}.${part}`]);
  const value = qa[answersField] ??
    (texts === undefined ? undefined : { text: texts, answer_start: starts });
  const place = placesOf(context);
  return itemsOf(value, { answersField, refuse }).map(({ text, start }) => {
    if (typeof text !== "string" || text.trim() === "") {
      throw refuse(
        `text is ${quoteValue(text)}, wanted a text; a question without answer has none`,
      );
    }
    const begin = Number.isSafeInteger(start) ? place(start as number) : undefined;
    if (begin === undefined || begin + text.length > context.length) {
      throw refuse(
        `the answer ${quoteName(text)} at ${quoteValue(start)} is outside its context of ` +
          `${[...context].length} characters`,
      );
    }
    if (context.startsWith(text, begin)) return { text, begin };
    const there = quoteName(context.slice(begin, begin + text.length));
    throw refuse(
      `the answer ${quoteName(text)} should be at ${start}, where the context has ${there}` +
        miscounted(context, { text, start: start as number }),
    );
  });
}

/** Texts and places, each unchecked. */
function itemsOf(
  value: unknown,
  { answersField, refuse }: { answersField: string; refuse: Refuse },
): { text: unknown; start: unknown }[] {
  if (isObject(value) && ("text" in value || "answer_start" in value)) {
    const [texts, starts] = [value.text, value.answer_start]
      .map((part) => Array.isArray(part) ? part : [part]);
    if (texts.length === starts.length) {
      return texts.map((text, i) => ({ text, start: starts[i] }));
    }
    throw refuse(
      `${answersField} has ${texts.length} text and ${starts.length} answer_start; wanted as many`,
    );
  }
  if (Array.isArray(value) && value.every(isObject)) {
    return value.map(({ text, answer_start: start }) => ({ text, start }));
  }
  throw refuse(
    `${answersField} is ${
      quoteValue(value)
    }, wanted a list of objects with text and answer_start, or ` +
      "an object with a list of each",
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Says how a place was counted, if it is right when it is counted in other units. */
function miscounted(context: string, { text, start }: { text: string; start: number }): string {
  const advice = "; wanted a count of Unicode's characters, as Python counts";
  if (context.startsWith(text, start)) return `: it was counted in UTF-16 units${advice}`;
  const bytes = new TextEncoder().encode(context);
  const behind = new TextDecoder().decode(bytes.subarray(start));
  return behind.startsWith(text) ? `: it was counted in bytes${advice}` : "";
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
