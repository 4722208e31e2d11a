/**
 * Records with a text, or two, and a label from CSV and JSON, each with the line that it begins at.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { quoteName, showPath } from "../../formats/messages.ts";
import { readTable } from "./delimited.ts";
import { jsonRecords as recordsOfJson } from "./json_records.ts";

/** A record as it was read. */
export interface FieldRecord {
  /** The text. */
  text: string;
  /** The second text of a pair. */
  pair?: string;
  /** The label, of any kind; undefined where only texts were asked for. */
  label: unknown;
  /** Where it is, such as `line 3`. */
  place: string;
}

/** The field or column of a text; of a pair two, also as one name with a comma between both. */
export type TextField = string | readonly [first: string, second: string];

/** Names of the fields; without `label`, only texts are read. */
export interface FieldNames {
  /** Field of the text, or fields of the pair. */
  text: TextField;
  /** Field of the label. */
  label?: string;
}

const refuseIn = (path: string) => (reason: string): VitrailError =>
  new VitrailError(`Cannot read ${showPath(path)}: ${reason}`);

/** The flags that name fields, for messages. */
const flag = {
  text: "choose with --text-field NAME, or NAME,NAME for pairs of texts",
  label: "choose with --label-field",
};

/**
 * The fields that a name stands for: itself, where there is such a field, or both sides of its comma.
 *
 * @throws {VitrailError} if there are more sides than two
 */
export function textFields(
  asked: TextField,
  has: (name: string) => boolean = () => false,
): string[] {
  if (typeof asked !== "string") return [...asked];
  const sides = asked.split(",").map((side) => side.trim());
  if (sides.length === 1 || has(asked)) return [asked];
  if (sides.length === 2 && !sides.includes("")) return sides;
  throw new VitrailError(
    `Cannot read texts from the fields ${quoteName(asked)}: wanted one name, or two with a comma ` +
      "between them for pairs of texts",
  );
}

/**
 * Records of CSV below a line of names: between commas, or tabs if the path ends in `.tsv`, or whatever
 * else separates these names.
 *
 * @throws {VitrailError} with the line where quotes or the number of columns are wrong.
 */
export function* csvRecords(path: string, text: string, names: FieldNames): Generator<FieldRecord> {
  const refuse = refuseIn(path);
  const wanted = (header: readonly string[]): string[] => [
    ...textFields(names.text, (name) => header.includes(name)),
    ...names.label === undefined ? [] : [names.label],
  ];
  const missing = (header: readonly string[]): string | undefined => {
    for (const name of wanted(header)) {
      const column = header.indexOf(name);
      if (column >= 0 && header.lastIndexOf(name) === column) continue;
      if (column >= 0) {
        return `line 1 names the column ${quoteName(name)} twice; give one another name`;
      }
      const near = header.find((other) => other.trim() === name.trim());
      if (near !== undefined) {
        return `line 1 names no column ${quoteName(name)} but ${quoteName(near)}; take out the ` +
          "blanks beside it, and those of the lines below";
      }
      const advice = name === names.label ? flag.label : flag.text;
      const there = header.map(quoteName).join(", ");
      return `line 1 names no column ${quoteName(name)}, only ${there}; ${advice}`;
    }
  };
  const { header, rows } = readTable(text, { missing, tabs: /\.tsv$/i.test(path), refuse });
  const columns = wanted(header).map((name) => header.indexOf(name));
  const label = names.label === undefined ? -1 : columns.pop()!;
  for (const { cells, line } of rows) {
    const [text, pair] = columns.map((column) => cells[column]);
    yield { text, pair, label: label < 0 ? undefined : cells[label], place: `line ${line}` };
  }
}

/**
 * Records of JSON: one a line, or a list of them; empty lines are left out.
 *
 * @throws {VitrailError} with the line that is not JSON or lacks a field.
 */
export function* jsonRecords(
  path: string,
  text: string,
  names: FieldNames,
): Generator<FieldRecord> {
  const refuse = refuseIn(path);
  for (const { record, place } of recordsOfJson(text, refuse)) {
    const has = (name: string): boolean => Object.hasOwn(record, name);
    const [first, second] = textFields(names.text, has).map((name) => {
      const found = has(name) ? record[name] : undefined;
      if (typeof found === "string") return found;
      throw refuse(`${place} has no text in ${quoteName(name)}; ${flag.text}`);
    });
    const label = names.label !== undefined && has(names.label) ? record[names.label] : undefined;
    if (names.label !== undefined && (label === undefined || label === null)) {
      throw refuse(`${place} has no ${quoteName(names.label)}; ${flag.label}`);
    }
    yield { text: first, pair: second, label, place };
  }
}
