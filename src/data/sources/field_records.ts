/**
 * Records with a text and a label from CSV and JSONL, each with the line that it begins at.
 *
 * @module
 */
// @ts-types="./csv_parse.d.ts"
import { parse, type ParsedRecord, type ParseOptions } from "npm:csv-parse@7.0.3/sync";
import { VitrailError } from "../../errors.ts";
import { parseJsonLine } from "../../formats/json_file.ts";
import { quoteName, showPath } from "../../formats/messages.ts";

/** A record as it was read. */
export interface FieldRecord {
  /** The text. */
  text: string;
  /** The label, of any kind; undefined where only texts were asked for. */
  label: unknown;
  /** Where it is, such as `line 3`. */
  place: string;
}

/** Names of the fields; without `label`, only texts are read. */
export interface FieldNames {
  /** Field of the text. */
  text: string;
  /** Field of the label. */
  label?: string;
}

const refuse = (path: string, reason: string): VitrailError =>
  new VitrailError(`Cannot read ${showPath(path)}: ${reason}`);

/** The flags that name fields, for messages. */
const flag = { text: "--text-field", label: "--label-field" };

/**
 * Records of CSV, or of tab-separated values if the path ends in `.tsv`, below a line of names.
 *
 * @throws {VitrailError} with the line where quotes or the number of columns are wrong.
 */
export function* csvRecords(path: string, text: string, names: FieldNames): Generator<FieldRecord> {
  const tabs = /\.tsv$/i.test(path);
  const options: ParseOptions = {
    info: true,
    skipEmptyLines: true,
    delimiter: tabs ? "\t" : ",",
    // Tab-separated values have no quotes: a tab is never part of a text.
    quote: tabs ? null : '"',
    relaxColumnCount: true,
  };
  let rows: ParsedRecord[];
  try {
    rows = parse(text, options);
  } catch (error) {
    const { message, lines } = error as Error & { lines?: number };
    const line = lines === undefined ? "" : `line ${lines} is broken: `;
    throw refuse(path, `${line}${message.replace(/\s+/g, " ")}`);
  }
  const [header, ...records] = rows;
  if (!header) throw refuse(path, "it is empty; wanted a line of names and records below it");
  const columnOf = (role: "text" | "label"): number => {
    const name = names[role]!;
    const column = header.record.indexOf(name);
    if (column >= 0) return column;
    const there = header.record.map(quoteName).join(", ");
    throw refuse(
      path,
      `line 1 names no column ${quoteName(name)}, only ${there}; choose with ${flag[role]}`,
    );
  };
  const at = { text: columnOf("text"), label: names.label === undefined ? -1 : columnOf("label") };
  for (const { record, info } of records) {
    // A quoted text may go over many lines: the parser counts to the last of them.
    const line = info.lines - (record.join("").split("\n").length - 1);
    if (record.length !== header.record.length) {
      throw refuse(
        path,
        `line ${line} has ${record.length} columns, line 1 has ${header.record.length}; quote ` +
          `texts that hold a ${tabs ? "tab" : "comma"}`,
      );
    }
    const label = at.label < 0 ? undefined : record[at.label];
    yield { text: record[at.text], label, place: `line ${line}` };
  }
}

/**
 * Records of JSONL; empty lines are left out.
 *
 * @throws {VitrailError} with the line that is not JSON or lacks a field.
 */
export function* jsonRecords(
  path: string,
  text: string,
  names: FieldNames,
): Generator<FieldRecord> {
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = `line ${i + 1}`;
    const record = parseJsonLine(
      line,
      (reason) => refuse(path, `${place} ${reason}; wanted one record a line`),
    );
    const found = record[names.text];
    if (typeof found !== "string") {
      throw refuse(
        path,
        `${place} has no text in ${quoteName(names.text)}; choose with ${flag.text}`,
      );
    }
    const label = names.label === undefined ? undefined : record[names.label];
    if (names.label !== undefined && (label === undefined || label === null)) {
      throw refuse(path, `${place} has no ${quoteName(names.label)}; choose with ${flag.label}`);
    }
    yield { text: found, label, place };
  }
}
