/** What a run was asked, kept only for steps that were done. @module */

import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { readJson } from "../formats/json_file.ts";
import {
  absent,
  anything,
  boolean,
  countOrNone,
  either,
  listOf,
  mapOf,
  object,
  type Rule,
  text,
} from "../formats/json_rules.ts";

/** Settings by name. */
export type Asked = Record<string, unknown>;

/** A stretch of steps that one process did. */
export interface RunPart {
  /** Steps done before it. */
  from: number;
  /** Steps done at its end. */
  to: number;
  /** When it began, in ISO 8601. */
  begun: string;
  /** What it was asked. */
  asked: Asked;
  /** Why it ended; absent while it goes on, and if it was killed. */
  ended?: string;
  /** Whether all that follows the last step was done too, such as reports and scores. */
  complete?: boolean;
}

const SETTINGS_FILE = "training.json";
const HISTORY_FILE = "history.json";

/**
 * The record of a run in its directory: `training.json` holds the settings of the steps that were done last,
 * `history.json` those of all steps, part by part. Both change when the first step of a process is done: a
 * run that is resumed and does nothing keeps its record.
 *
 * @example
 * ```ts
 * import { readHistory, RunRecord } from "./run_record.ts";
 *
 * const directory = Deno.makeTempDirSync();
 * const record = new RunRecord(directory, { steps: 60 });
 * record.begin(0);
 * record.done(41);
 * record.save();
 * console.log(readHistory(directory)[0].to); // 41
 * ```
 */
export class RunRecord {
  readonly #directory: string;
  readonly #asked: Asked;
  #earlier: RunPart[] = [];
  #part: RunPart | undefined;
  #from = 0;

  /** Reads what was recorded; a damaged history is replaced. */
  constructor(directory: string, asked: Asked) {
    this.#directory = directory;
    this.#asked = asked;
    try {
      this.#earlier = readHistory(directory);
    } catch (error) {
      if (!(error instanceof VitrailError)) throw error;
    }
  }

  /** All parts that have done a step. */
  get parts(): readonly RunPart[] {
    return this.#part ? [...this.#earlier, this.#part] : this.#earlier;
  }

  /** Forgets steps beyond the checkpoint that the run goes on from; 0 forgets all. */
  begin(step: number): void {
    this.#from = step;
    this.#earlier = this.#earlier.filter(({ from }) => from < step)
      .map((part) => part.to > step ? { ...part, to: step } : part);
  }

  /** Notes how many steps are done; the first of this process puts what it was asked on record. */
  done(step: number): void {
    if (this.#part) {
      this.#part.to = step;
      return;
    }
    const begun = new Date().toISOString();
    this.#part = { from: this.#from, to: step, begun, asked: this.#asked };
    writeSettings(this.#directory, this.#asked);
    this.save();
  }

  /** Writes the history, with its steps up to now. */
  save(): void {
    if (this.#part) writeHistory(this.#directory, this.parts);
  }

  /** Notes why the run ended. */
  end(reason: string): void {
    // A process that only does what follows the last step ends the part of the one that was killed there.
    const part = this.#part ?? this.#earlier.at(-1);
    if (!part) return;
    part.ended = reason;
    writeHistory(this.#directory, this.parts);
  }
}

/** Puts settings on record; for a run that begins, before its first step. */
export function writeSettings(directory: string, asked: Asked): void {
  writeFileAtomic(`${directory}/${SETTINGS_FILE}`, JSON.stringify(asked, null, 2) + "\n");
}

/** Forgets what an earlier run in a directory was asked. */
export function removeHistory(directory: string): void {
  try {
    Deno.removeSync(`${directory}/${HISTORY_FILE}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Notes that all that follows the last step was done, unless the run was interrupted. */
export function completeRun(directory: string): void {
  const parts = readHistory(directory);
  const last = parts.at(-1);
  if (!last || last.complete || last.ended === undefined || last.ended === "interrupted") return;
  writeHistory(directory, [...parts.slice(0, -1), { ...last, complete: true }]);
}

function writeHistory(directory: string, parts: readonly RunPart[]): void {
  writeFileAtomic(`${directory}/${HISTORY_FILE}`, JSON.stringify(parts, null, 1) + "\n");
}

const historyRule: Rule<RunPart[]> = listOf(object({
  from: countOrNone,
  to: countOrNone,
  begun: text,
  asked: mapOf(anything),
  ended: either(text, absent),
  complete: either(boolean, absent),
}));

/**
 * The parts of a run; none if it has no history, as those of earlier releases.
 *
 * @throws {VitrailError} if the history is damaged
 */
export function readHistory(directory: string): RunPart[] {
  const path = `${directory}/${HISTORY_FILE}`;
  try {
    Deno.statSync(path);
  } catch {
    return [];
  }
  return readJson(path, historyRule, { wanted: "a list of what the run was asked; delete it" });
}

/** The parts for a table: their steps, when they began, and what was asked otherwise than before. */
export function describeParts(parts: readonly RunPart[]): string[][] {
  return parts.map(({ from, to, begun, asked }, i) => {
    const before = parts[i - 1]?.asked ?? {};
    const names = i === 0
      ? ["steps"]
      : [...new Set([...Object.keys(before), ...Object.keys(asked)])];
    const changes = names.filter((name) => show(asked[name]) !== show(before[name]))
      .map((name) => `${name} ${show(asked[name])}`);
    return [
      `${from + 1} to ${to}`,
      begun.slice(0, 19).replace("T", " "),
      changes.join(", ") || "the same",
    ];
  });
}

const show = (value: unknown): string =>
  value === undefined
    ? "left to the default"
    : typeof value === "string"
    ? value
    : JSON.stringify(value);
