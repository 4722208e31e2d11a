/** From the records of several runs to charts that compare them. @module */

import { VitrailError } from "../errors.ts";
import type { MetricsRecord } from "./metrics.ts";
import { flatten } from "../formats/page/html.ts";
import type { Chart, Curve } from "../formats/page/line_charts.ts";
import { curveOf, pick, smoothed, thin, thinned, words } from "./report_series.ts";

/** A run among others. */
export interface ComparedRun {
  /** What the legend calls it. */
  name: string;
  /** Its settings. */
  config: Record<string, unknown>;
  /** Its metrics. */
  records: readonly MetricsRecord[];
}

/** Runs that one chart can tell apart by colour and dashes. */
export const MOST_RUNS = 6;

/**
 * A chart for the loss on held-out examples, one for the loss in training, and one for each figure
 * that was measured at evaluations: a curve for each run.
 *
 * @throws {VitrailError} if there are more runs than {@linkcode MOST_RUNS}
 */
export function comparisonCharts(runs: readonly ComparedRun[]): Chart[] {
  if (runs.length > MOST_RUNS) {
    throw new VitrailError(
      `Cannot compare ${runs.length} runs: a chart tells ${MOST_RUNS} lines apart at most`,
    );
  }
  const measured = runs.flatMap(({ records }) => records.flatMap(Object.keys))
    .filter((name) => name.startsWith("validation/"));
  return ["validationLoss", "loss", ...new Set(measured)].flatMap((name) => {
    const curves: Curve[] = [];
    const notes: string[] = [];
    runs.forEach((run, i) => {
      const found = curveOf(pick(run.records, name), run.name, `run-${i + 1}`);
      if (found.curve.values.length === 0) return;
      curves.push(smoothed(found.curve));
      notes.push(...found.notes);
    });
    if (curves.length === 0) return [];
    const isLoss = name === "validationLoss" || name === "loss";
    return [{
      title: TITLES[name] ?? words(name.replace("validation/", "")),
      fromZero: false,
      logarithmic: isLoss,
      curves: curves.map(thin),
      notes: [...notes, ...thinned(curves)],
    }];
  });
}

const TITLES: Record<string, string> = {
  validationLoss: "Validation loss, in nats",
  loss: "Training loss, in nats",
};

/** The settings in which runs differ, one in a row: its name, then its value in each run. */
export function differences(runs: readonly ComparedRun[]): string[][] {
  const settings = runs.map(({ config }) => new Map(flatten(config)));
  const names = new Set(settings.flatMap((own) => [...own.keys()]));
  return [...names]
    .map((name) => [name, ...settings.map((own) => own.get(name) ?? "")])
    .filter(([, first, ...rest]) => rest.some((value) => value !== first));
}
