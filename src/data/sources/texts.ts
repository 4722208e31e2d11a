/**
 * Single texts, one after another, from files and standard input.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { describeIoError, showPath } from "../../formats/messages.ts";
import { csvRecords, jsonRecords } from "./field_records.ts";
import { decoded, readText, withPlainLines } from "./text_stream.ts";

/**
 * The texts of a source: a field of each record of `.jsonl`, a column of `.csv` or `.tsv`, or each line
 * of any other file; `-` is standard input, a line each. Empty ones are left out.
 *
 * @param options.onEmpty told of each text that is left out
 * @throws {VitrailError} if it cannot be read, or holds no text.
 */
export async function* readTexts(
  source: string,
  options: { textField?: string; onEmpty?: () => void } = {},
): AsyncGenerator<string> {
  let some = false;
  for await (const text of textsOf(source, options.textField ?? "text")) {
    if (text.trim() === "") {
      options.onEmpty?.();
      continue;
    }
    some = true;
    yield text;
  }
  if (some) return;
  const name = source === "-" ? "standard input" : showPath(source);
  throw new VitrailError(`Cannot use ${name}: it holds no text; give a text with words in it`);
}

async function* textsOf(source: string, field: string): AsyncGenerator<string> {
  const records = /\.(jsonl|ndjson)$/i.test(source)
    ? jsonRecords
    : /\.(csv|tsv)$/i.test(source)
    ? csvRecords
    : undefined;
  if (records) {
    for (const { text } of records(source, await readText(source), { text: field })) yield text;
    return;
  }
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
  const name = source === "-" ? "standard input" : showPath(source);
  let pending = "";
  for await (const piece of withPlainLines(decoded(name, stream))) {
    const lines = (pending + piece).split("\n");
    pending = lines.pop()!;
    yield* lines;
  }
  // What a last line break ends was a line already.
  if (pending !== "") yield pending;
}
