/**
 * `vitrail report`: several runs side by side, as a page.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { readJsonObject } from "../formats/json_file.ts";
import { showPath } from "../formats/messages.ts";
import { readMetrics } from "../training/metrics.ts";
import { writeComparison } from "../training/report.ts";
import type { ComparedRun } from "../training/report_comparison.ts";
import { describeParts, readHistory } from "../training/run_record.ts";
import { addOverwriteFlag, claimFiles } from "./output.ts";
import { printNotice } from "./printer.ts";

/** Adds the command to the program. */
export function addReport(program: Command): void {
  addOverwriteFlag(program.command("report"))
    .description("compare runs: each figure of all of them in one chart, in one HTML page")
    .argument("<runs...>", "directories of runs")
    .option("--out <file>", "where the page goes", "report.html")
    .action((runs: string[], { out, overwrite }: { out: string; overwrite: boolean }) => {
      claimFiles({ "--out": out }, { overwrite });
      writeComparison(out, runs.map(runOf));
      printNotice(`Wrote ${out}`);
    });
}

/** What a run has left in its directory. */
function runOf(directory: string): ComparedRun {
  const records = readMetrics(`${directory}/metrics.jsonl`);
  if (records.length === 0) {
    throw new VitrailError(
      `Cannot compare ${showPath(directory)}: its metrics.jsonl is empty, wanted at least one step`,
    );
  }
  const config = readJsonObject(`${directory}/training.json`, { wanted: "the directory of a run" });
  const parts = readHistory(directory);
  // Runs that were resumed with other settings are not what their last settings say.
  const history = parts.length > 1
    ? describeParts(parts).map(([steps, , asked]) => `${steps}: ${asked}`).join("; ")
    : undefined;
  return {
    name: directory.replace(/\/+$/, ""),
    config: { ...config, ...history && { history } },
    records,
  };
}
