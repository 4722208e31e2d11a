/**
 * Single texts, one after another, from files and standard input.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { describeIoError, showPath } from "../../formats/messages.ts";
import type { TextInput } from "../padded_sequences.ts";
import { csvRecords, jsonRecords, type TextField, textFields } from "./field_records.ts";
import { decoded, readText, sourceName, withPlainLines } from "./text_stream.ts";

/** How texts are read. */
export interface TextOptions {
  /** Field or column of the text, default `text`; of pairs two, as a list or with a comma between them. */
  textField?: TextField;
  /** Told of each text that is left out. */
  onEmpty?: () => void;
}

/**
 * The texts of a source: a field of each record of `.jsonl` or `.json`, a column of `.csv` or `.tsv`, or each
 * line of any other file; `-` is standard input, a line each. Empty ones are left out.
 *
 * @throws {VitrailError} if it cannot be read, or holds no text.
 */
export async function* readTexts(
  source: string,
  options: TextOptions & { textField?: string } = {},
): AsyncGenerator<string> {
  for await (const text of readTextInputs(source, options)) {
    if (typeof text === "string") {
      yield text;
      continue;
    }
    throw new VitrailError(
      `Cannot read pairs of texts from ${
        sourceName(source)
      }: wanted one field, got ${options.textField}`,
    );
  }
}

/**
 * The texts of a source as {@linkcode readTexts} has them, or its pairs of texts where `textField` names two
 * fields; in a file of lines, a tab stands between both texts of a pair. A pair is left out if both
 * of its texts are empty.
 *
 * @throws {VitrailError} as {@linkcode readTexts}, or at a line that is no pair
 */
export async function* readTextInputs(
  source: string,
  options: TextOptions = {},
): AsyncGenerator<TextInput> {
  let some = false;
  for await (const text of inputsOf(source, options.textField ?? "text")) {
    if ((typeof text === "string" ? text : text.join("")).trim() === "") {
      options.onEmpty?.();
      continue;
    }
    some = true;
    yield text;
  }
  if (some) return;
  throw new VitrailError(
    `Cannot use ${sourceName(source)}: it holds no text; give a text with words in it`,
  );
}

async function* inputsOf(source: string, field: TextField): AsyncGenerator<TextInput> {
  const records = /\.(jsonl|ndjson|json)$/i.test(source)
    ? jsonRecords
    : /\.(csv|tsv)$/i.test(source)
    ? csvRecords
    : undefined;
  if (records) {
    for (const { text, pair } of records(source, await readText(source), { text: field })) {
      yield pair === undefined ? text : [text, pair];
    }
    return;
  }
  const pairs = textFields(field).length === 2;
  let number = 0;
  for await (const line of linesOf(source)) {
    number++;
    const texts = line.split("\t");
    if (!pairs) yield line;
    else if (texts.length === 2) yield [texts[0], texts[1]];
    else if (line.trim() !== "") {
      throw new VitrailError(
        `Cannot read ${sourceName(source)}: line ${number} has ${
          texts.length - 1
        } tabs, wanted two texts ` +
          "with a tab between them",
      );
    }
  }
}

async function* linesOf(source: string): AsyncGenerator<string> {
  let stream = Deno.stdin.readable;
  if (source !== "-") {
    try {
      stream = (await Deno.open(source)).readable;
    } catch (cause) {
      throw new VitrailError(`Cannot read ${showPath(source)}: ${describeIoError(cause)}`, {
        cause,
      });
    }
  }
  let pending = "";
  for await (const piece of withPlainLines(decoded(sourceName(source), stream))) {
    const lines = (pending + piece).split("\n");
    pending = lines.pop()!;
    yield* lines;
  }
  // What a last line break ends was a line already.
  if (pending !== "") yield pending;
}
