/** The report of a run: one HTML file that opens from the disk and asks the network for nothing. @module */

import { writeFileAtomic } from "../formats/atomic_file.ts";
import { escapeHtml, flatten, showValue, table } from "../formats/page/html.ts";
import { type Chart, CHART_HINT, chartSection } from "../formats/page/line_charts.ts";
import lineCharts from "../formats/page/line_charts.js" with { type: "text" };
import { chartPage } from "../formats/page/page.ts";
import type { MetricsRecord } from "./metrics.ts";

import { type ComparedRun, comparisonCharts, differences } from "./report_comparison.ts";
import { chartsOf } from "./report_series.ts";
import { describeParts, type RunPart } from "./run_record.ts";

/** What a report tells. */
export interface ReportOptions {
  /** Heading of the page. */
  title: string;
  /** Settings of the run; objects within it are shown as dotted names. */
  config: Record<string, unknown>;
  /**
   * What {@linkcode readMetrics} returns. `loss` and `validationLoss` share a chart;
   * `learningRate`, `gradientNorm`, `tokensPerSecond` and every other number get their own.
   */
  records: readonly MetricsRecord[];
  /** Texts that the model wrote, in the order in which they were written. */
  samples: readonly { step: number; text: string }[];
  /** Results in a few words, such as the best loss, for the top of the page. */
  figures: Record<string, string | number>;
  /** Said before all else, such as why the run failed. */
  notice?: string;
  /** What each part of the run was asked, where it was resumed. */
  parts?: readonly RunPart[];
}

function sampleSection(samples: ReportOptions["samples"]): string {
  if (samples.length === 0) return "";
  const items = samples.map(({ step, text }, index) =>
    // The line feed after <pre> is the one that HTML swallows: the text keeps its own first one.
    `<details${index === samples.length - 1 ? " open" : ""}><summary>Step ${
      escapeHtml(showValue(step))
    }</summary><pre dir="auto" lang="">\n${escapeHtml(text)}</pre></details>`
  );
  return `<section><h2>Samples</h2>\n${items.join("\n")}\n</section>`;
}

/** What a page consists of. */
interface Page {
  title: string;
  notice?: string;
  figures: Record<string, string | number>;
  charts: Chart[];
  /** Sections of HTML after the charts. */
  sections: string[];
}

function configSection(heads: string[], rows: string[][], heading = "Configuration"): string {
  if (rows.length === 0) return "";
  return `<section class="config"><h2>${heading}</h2><div class="scroll">${
    table(heads, rows)
  }</div></section>`;
}

/** What a run was asked each time that it went on. */
function partsSection(parts: readonly RunPart[]): string {
  const heads = ["Steps", "Begun (UTC)", "What was asked anew"];
  return configSection(heads, parts.length > 1 ? describeParts(parts) : [], "History");
}

function page({ charts, sections, ...page }: Page): string {
  const hint = charts.length > 0 ? CHART_HINT : "<p>No numbers were recorded.</p>";
  return chartPage({
    ...page,
    data: charts,
    script: lineCharts,
    body: [
      hint,
      "<noscript><p>The charts need JavaScript; the same values stand in the tables.</p></noscript>",
      `<div class="charts">\n${charts.map(chartSection).join("\n")}\n</div>`,
      ...sections,
    ],
  });
}

/**
 * Writes a report as one self-contained HTML file: figures, charts, samples and configuration, in
 * light and dark. All text is escaped, and the page's security policy runs no script but its own.
 *
 * @param path where the file goes; an older one is replaced
 * @throws {VitrailError} when the file cannot be written
 *
 * @example
 * ```ts
 * import { writeReport } from "./report.ts";
 *
 * writeReport(`${Deno.makeTempDirSync()}/report.html`, {
 *   title: "A small run",
 *   config: { steps: 2, model: { layers: 3 } },
 *   records: [{ step: 1, loss: 5.25 }, { step: 2, loss: 4.5, validationLoss: 4.75 }],
 *   samples: [{ step: 2, text: "Call me Ishmael." }],
 *   figures: { "Validation loss": 4.75 },
 * });
 * ```
 */
export function writeReport(path: string | URL, options: ReportOptions): void {
  const { config, records, samples, parts = [] } = options;
  writeFileAtomic(
    path,
    page({
      ...options,
      charts: chartsOf(records),
      sections: [
        sampleSection(samples),
        configSection(["Setting", "Value"], flatten(config)),
        partsSection(parts),
      ],
    }),
  );
}

/**
 * Writes a report on several runs: each of their figures in one chart, and the settings in which they
 * differ.
 *
 * @param path where the file goes; an older one is replaced
 * @throws {VitrailError} when the file cannot be written, or there are more runs than kinds of lines
 */
export function writeComparison(path: string | URL, runs: readonly ComparedRun[]): void {
  const best = runs.map(({ name, records }) => {
    const losses = records.map(({ validationLoss }) => Number(validationLoss ?? Infinity));
    return [`best validation loss of ${name}`, Math.min(...losses)] as const;
  });
  writeFileAtomic(
    path,
    page({
      title: runs.map(({ name }) => name).join(" and "),
      figures: Object.fromEntries(best.filter(([, loss]) => Number.isFinite(loss))),
      charts: comparisonCharts(runs),
      sections: [configSection(["Setting", ...runs.map(({ name }) => name)], differences(runs))],
    }),
  );
}
