/** The metrics of a run as JSON lines, the same bytes whether or not the run was resumed. @module */

import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { parseJson } from "../formats/json_file.ts";
import { anything, countOrNone, mapOf, type Rule } from "../formats/json_rules.ts";
import { describeIoError, quoteName, showPath } from "../formats/messages.ts";
import { readSmallFile } from "../formats/text_file.ts";

/** One line of a metrics file. */
export interface MetricsRecord {
  /** Steps done when the values were taken. */
  step: number;
  /** A value; as JSON has no NaN and no infinities, a file holds their names as strings. */
  [name: string]: number | string | null;
}

/** A whole line of a metrics file, and what it says. */
interface Line {
  text: string;
  record: MetricsRecord;
}

const recordRule: Rule<MetricsRecord> = {
  wanted: "a JSON object with a whole step from 0",
  holds: (v) =>
    mapOf(anything).holds(v) && countOrNone.holds((v as MetricsRecord).step) &&
    Object.values(v as object).every((value) =>
      value === null || !["object", "boolean"].includes(typeof value)
    ),
};

function parseRecord(text: string): MetricsRecord | undefined {
  try {
    return parseJson(text, recordRule);
  } catch {
    return undefined;
  }
}

/** The whole lines of a text, and whether its end has to be written anew. */
function parseLines(content: string, path: string): { lines: Line[]; torn: boolean } {
  const texts = content.split("\n");
  const rest = texts.pop()!;
  const lines = texts.map((text, index) => {
    const record = parseRecord(text);
    if (record === undefined) {
      throw new VitrailError(
        `Cannot read ${path}: line ${index + 1} is ${quoteName(text)}, wanted a JSON object ` +
          "with a whole step; mend or delete the line",
      );
    }
    return { text, record };
  });
  // A record that lacks only its line break is whole: a resumed run would not write it again.
  const last = parseRecord(rest);
  if (last !== undefined) lines.push({ text: rest, record: last });
  return { lines, torn: rest !== "" };
}

function readLines(path: string | URL): { lines: Line[]; torn: boolean } {
  const bytes = readSmallFile(path);
  // A line that was torn may end in half a character; none before it does.
  const end = bytes.lastIndexOf(0x0a) + 1;
  let content: string;
  try {
    content = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(0, end),
    );
  } catch (cause) {
    throw new VitrailError(`Cannot read ${showPath(path)}: it is not UTF-8 text`, { cause });
  }
  return parseLines(content + new TextDecoder().decode(bytes.subarray(end)), showPath(path));
}

/**
 * Reads the records of a metrics file, in the order of the file. A torn last line is left out.
 *
 * @throws {VitrailError} when the file cannot be read, or another line is no record
 *
 * @example
 * ```ts
 * import { MetricsFile, readMetrics } from "./metrics.ts";
 *
 * const path = `${Deno.makeTempDirSync()}/metrics.jsonl`;
 * using file = new MetricsFile(path);
 * file.append({ step: 197, loss: 3.25, gradientNorm: NaN });
 * console.log(readMetrics(path)); // [{ step: 197, loss: 3.25, gradientNorm: "NaN" }]
 * ```
 */
export function readMetrics(path: string | URL): MetricsRecord[] {
  return readLines(path).lines.map(({ record }) => record);
}

/**
 * The number that a value of a metrics file stands for: `"NaN"`, `"Infinity"` and `"-Infinity"`
 * become numbers again, and everything else that is no number becomes `undefined`.
 */
export function metricNumber(value: number | string | null | undefined): number | undefined {
  if (typeof value === "number") return value;
  return value === "NaN" || value === "Infinity" || value === "-Infinity"
    ? Number(value)
    : undefined;
}

/**
 * A metrics file that is open for appending: one JSON object a line.
 *
 * A resumed run calls {@linkcode MetricsFile.truncateAfter} with the step of its checkpoint and
 * goes on; the file then ends up with the bytes of a run that was never interrupted, as long as
 * only values that the run repeats exactly are appended (no times, no speeds). A fresh run calls
 * `truncateAfter(-1)`.
 *
 * @example
 * ```ts
 * import { MetricsFile } from "./metrics.ts";
 *
 * using file = new MetricsFile(`${Deno.makeTempDirSync()}/metrics.jsonl`);
 * for (let step = 1; step <= 3; step++) file.append({ step, loss: 1 / step });
 * file.truncateAfter(2);
 * file.append({ step: 3, loss: 1 / 3 });
 * ```
 */
export class MetricsFile {
  readonly #path: string | URL;
  #file: Deno.FsFile | undefined;

  /**
   * Opens a file, or makes an empty one. A line that was torn when its writer was killed is
   * removed.
   *
   * @throws {VitrailError} when the file cannot be opened, or holds something else than records
   */
  constructor(path: string | URL) {
    this.#path = path;
    this.#open();
    try {
      this.#keep(() => true);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Adds a line. It is with the operating system when the call returns, so that it outlives this
   * process; {@linkcode MetricsFile.sync} makes it outlive the machine.
   *
   * @throws {VitrailError} when the step is no whole number, or the line cannot be stored
   */
  append(record: MetricsRecord): void {
    if (!Number.isSafeInteger(record.step)) {
      throw new VitrailError(
        `Cannot append to ${showPath(this.#path)}: the record's step is ${record.step}, ` +
          "wanted a whole number",
      );
    }
    const text = JSON.stringify(
      record,
      (_, value) => typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
    );
    const bytes = new TextEncoder().encode(text + "\n");
    const file = this.#opened("append to");
    try {
      let written = 0;
      while (written < bytes.length) written += file.writeSync(bytes.subarray(written));
    } catch (error) {
      throw this.#fault("append to", error);
    }
  }

  /**
   * Removes all records of steps after `step`, wherever they stand. The bytes of the others stay
   * as they are.
   *
   * @throws {VitrailError} when the file cannot be read or written; it then is as it was
   */
  truncateAfter(step: number): void {
    this.#opened("truncate");
    this.#keep((record) => record.step <= step);
  }

  /**
   * Waits until all appended lines are on the disk. To be called before a checkpoint is saved:
   * otherwise a power cut could keep the checkpoint and lose the lines before it.
   *
   * @throws {VitrailError} when they cannot be stored
   */
  sync(): void {
    const file = this.#opened("sync");
    try {
      file.syncDataSync();
    } catch (error) {
      throw this.#fault("sync", error);
    }
  }

  /** Closes the file; a second call does nothing. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** The same as {@linkcode MetricsFile.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #keep(wanted: (record: MetricsRecord) => boolean): void {
    const { lines, torn } = readLines(this.#path);
    const kept = lines.filter(({ record }) => wanted(record));
    if (!torn && kept.length === lines.length) return;
    // Closed first: Windows renames no file over an open one.
    this.close();
    try {
      writeFileAtomic(this.#path, kept.map(({ text }) => text + "\n").join(""));
    } finally {
      this.#open();
    }
  }

  #open(): void {
    try {
      this.#file = Deno.openSync(this.#path, { append: true, create: true });
    } catch (error) {
      throw this.#fault("open", error);
    }
  }

  #opened(action: string): Deno.FsFile {
    if (this.#file !== undefined) return this.#file;
    throw new VitrailError(
      `Cannot ${action} ${showPath(this.#path)}: it was closed, open it again`,
    );
  }

  #fault(action: string, error: unknown): VitrailError {
    return new VitrailError(
      `Cannot ${action} ${showPath(this.#path)}: ${describeIoError(error)}`,
      { cause: error },
    );
  }
}
