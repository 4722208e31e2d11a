/**
 * Texts that a command works on: those of the command line, then those of `--data`.
 *
 * @module
 */
import type { Command } from "commander";
import type { LongTexts, TextInput } from "../data/padded_sequences.ts";
import type { TextField } from "../data/sources/field_records.ts";
import { readTextInputs, readTexts } from "../data/sources/texts.ts";
import { sourceName } from "../data/sources/text_stream.ts";
import { VitrailError } from "../errors.ts";
import { oneOf } from "./choices.ts";
import { printNotice } from "./printer.ts";

/** Texts that are read and worked on together, so that the first results come early. */
const TOGETHER = 256;

/** Adds the flag for texts that are longer than a sequence may be. */
export function addLongTextsFlag(command: Command): Command {
  return command.option(
    "--long-texts <how>",
    "cut them, or read all of them in windows whose answers are averaged; of a pair, the longer text",
    oneOf("cut", "windows"),
    "cut",
  );
}

/** Says how many texts are longer than the limit, if any, and what becomes of them. */
export function tellLong(
  count: number,
  { limit, longTexts }: { limit: number; longTexts: LongTexts },
): void {
  if (count === 0) return;
  const what = longTexts === "cut"
    ? "cut there (--long-texts windows reads all of them)"
    : "read in windows";
  printNotice(`${count} texts are longer than ${limit} tokens: ${what}`);
}

/** Where texts are. */
export interface TextFlags {
  /** A file, or `-`. */
  data?: string;
  /** Field or column of the text. */
  textField?: string;
}

/**
 * Checks that there is something to work on, before a model is opened.
 *
 * @param action what is done, such as `tag`
 * @throws {VitrailError} if there is no text, or one of the command line is empty
 */
export function checkGiven(texts: readonly string[], { data }: TextFlags, action: string): void {
  if (texts.length === 0 && data === undefined) {
    throw new VitrailError(`Cannot ${action} nothing: give texts, or --data FILE, or --data -`);
  }
  const empty = texts.findIndex((text) => text.trim() === "");
  if (empty >= 0) throw new VitrailError(`Cannot ${action} text ${empty + 1}: it is empty`);
}

/**
 * All texts, in groups. Empty ones of `--data` are left out, and how many is told at the end.
 *
 * @throws {VitrailError} if `--data` cannot be read or holds no text
 */
export async function* givenTexts(
  texts: readonly string[],
  { data, textField }: TextFlags,
  together = TOGETHER,
): AsyncGenerator<string[]> {
  yield* inGroups(texts, together, data, (onEmpty) => readTexts(data!, { textField, onEmpty }));
}

/**
 * All texts and pairs of texts, in groups, as {@linkcode givenTexts}; those of `--data` are pairs where
 * `textField` names two fields.
 */
export async function* givenInputs(
  inputs: readonly TextInput[],
  { data, textField }: { data?: string; textField?: TextField },
): AsyncGenerator<TextInput[]> {
  yield* inGroups(
    inputs,
    TOGETHER,
    data,
    (onEmpty) => readTextInputs(data!, { textField, onEmpty }),
  );
}

/**
 * The texts of the command line, each with its second text where there are such.
 *
 * @throws {VitrailError} if there are not as many of both, or a pair is empty
 */
export function pairUp(texts: readonly string[], seconds: readonly string[]): TextInput[] {
  if (seconds.length === 0) return [...texts];
  if (texts.length !== seconds.length) {
    throw new VitrailError(
      `Cannot pair ${texts.length} texts with ${seconds.length} second texts: give one --pair TEXT for ` +
        "each text",
    );
  }
  return texts.map((text, i) => [text, seconds[i]]);
}

/** Says that a model seems to compare two texts, and was given one. */
export function tellLikelyPairs(labels: readonly string[]): void {
  printNotice(
    `The labels of this model (${
      labels.join(", ")
    }) compare two texts: give the second with --pair, or ` +
      "two fields with --text-field",
  );
}

/** What a command line gives, then what a source gives, in groups. */
async function* inGroups<T>(
  given: readonly T[],
  together: number,
  data: string | undefined,
  read: (onEmpty: () => void) => AsyncIterable<T>,
): AsyncGenerator<T[]> {
  for (let from = 0; from < given.length; from += together) {
    yield given.slice(from, from + together);
  }
  if (data === undefined) return;
  let waiting: T[] = [];
  let empty = 0;
  for await (const one of read(() => empty++)) {
    waiting.push(one);
    if (waiting.length < together) continue;
    yield waiting;
    waiting = [];
  }
  if (waiting.length > 0) yield waiting;
  tellEmpty(empty, data);
}

/** Says how many texts of a source were left out because there is nothing in them. */
export function tellEmpty(empty: number, source: string): void {
  if (empty === 0) return;
  const texts = empty === 1 ? "text" : "texts";
  printNotice(`Left out ${empty} empty ${texts} of ${sourceName(source)}`);
}
