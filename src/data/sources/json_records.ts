/**
 * Records of JSON files: one a line, or a list of them, as `datasets` and pandas write both.
 *
 * @module
 */
import type { VitrailError } from "../../errors.ts";
import { parseJson, parseJsonLine } from "../../formats/json_file.ts";
import { anything } from "../../formats/json_rules.ts";
import { quoteValue } from "../../formats/messages.ts";

/** An object of a file, and where it is. */
export interface JsonRecord {
  /** The object; nothing in it is checked. */
  record: Record<string, unknown>;
  /** Where it is, such as `line 3`. */
  place: string;
}

/**
 * The records of a text: its lines, or the items of the list that it holds, also under `data`. Empty
 * lines are left out.
 *
 * @param refuse makes the error from what is wrong
 * @throws {VitrailError} at what is no JSON or no record; the message names its place
 */
export function jsonRecords(
  text: string,
  refuse: (reason: string) => VitrailError,
): JsonRecord[] {
  const lines = text.split("\n").map((line, i) => ({ line, place: `line ${i + 1}` }))
    .filter(({ line }) => line.trim() !== "");
  // A file of one line may be either, and a list of one record is read as one.
  const first = lines[0]?.line.trim() ?? "";
  if (first.startsWith("{") && (lines.length === 1 || isObject(parsed(first)))) {
    const records = lines.map(({ line, place }) => {
      const fault = (reason: string) => refuse(`${place} ${reason}; wanted one record a line`);
      return { record: parseJsonLine(line, fault), place };
    });
    const list = records.length === 1 ? dataOf(records[0].record) : undefined;
    return list ? recordsOf(list, refuse) : records;
  }
  if (first === "") return [];
  return recordsOf(parseJson(text, anything, { fault: refuse }), refuse);
}

/**
 * The records of parsed JSON: the items of a list, also under `data`, or an object itself.
 *
 * @throws {VitrailError} at an item that is no record; the message names it
 */
export function recordsOf(
  value: unknown,
  refuse: (reason: string) => VitrailError,
): JsonRecord[] {
  const list = dataOf(value) ?? (Array.isArray(value) ? value : [value]);
  return list.map((record, i) => {
    const place = `record ${i + 1}`;
    if (isObject(record)) return { record, place };
    throw refuse(`${place} holds ${quoteValue(record)}, wanted an object with named fields`);
  });
}

/** The list that an object holds as its `data`. */
function dataOf(value: unknown): unknown[] | undefined {
  return isObject(value) && Array.isArray(value.data) ? value.data : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return parseJson(text, anything);
  } catch {
    return undefined;
  }
}
