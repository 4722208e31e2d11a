/** The report of a run: one HTML file that opens from the disk and asks the network for nothing. @module */

import { writeFileAtomic } from "../formats/atomic_file.ts";
import { escapeHtml, flatten, showValue, table } from "../formats/page/html.ts";
import { chartPage } from "../formats/page/page.ts";
import type { MetricsRecord } from "./metrics.ts";
import pageScript from "./report_page.js" with { type: "text" };
import { type ComparedRun, comparisonCharts, differences } from "./report_comparison.ts";
import { type Chart, chartsOf, type Curve } from "./report_series.ts";

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
}

/** Rows of the table that stands for a chart. */
const MOST_ROWS = 40;

/** About `count` of the indices below `length`, first and last among them. */
function spread(length: number, count: number): number[] {
  if (length <= count) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round(i * (length - 1) / (count - 1)));
}

/** The same numbers as a chart, for those who do not see it and for a browser without scripts. */
function chartTable({ curves }: Chart): string {
  const [finest] = [...curves].sort((a, b) => b.steps.length - a.steps.length);
  const shown = new Set(spread(finest.steps.length, MOST_ROWS).map((i) => finest.steps[i]));
  for (const { style, steps } of curves) {
    if (style === "validation" && steps.length <= MOST_ROWS) steps.forEach((s) => shown.add(s));
  }
  const at = ({ steps, values }: Curve): Map<number, number | null> =>
    new Map(steps.map((step, i) => [step, values[i]]));
  const columns = curves.map(at);
  const rows = [...shown].sort((a, b) => a - b).map((step) => [
    showValue(step),
    ...columns.map((column) => {
      const value = column.get(step);
      if (value === undefined) return "";
      return value === null ? "not finite" : showValue(value);
    }),
  ]);
  return table(["Step", ...curves.map(({ label }) => label)], rows);
}

function chartSection(chart: Chart, index: number): string {
  const { title, logarithmic, curves, notes } = chart;
  const scale = (name: string, checked: string): string =>
    `<label><input type="radio" name="scale-${index}" value="${name.toLowerCase()}"${checked}> ` +
    `${name}</label>`;
  // A single step of a noisy curve says little, its mean stands beside it.
  const last = curves.filter(({ style }) => style !== "faint").map(({ label, values }) => {
    const value = values.findLast((v) => v !== null);
    return `${label} ends at ${value == null ? "no finite value" : showValue(value)}`;
  });
  return `<section class="chart" data-chart="${index}">
<div class="head"><h2 id="chart-${index}">${escapeHtml(title)}</h2>
${
    logarithmic
      ? `<fieldset class="scale script"><legend>Axis</legend>${scale("Linear", " checked")}${
        scale("Logarithmic", "")
      }</fieldset>`
      : ""
  }</div>
<div class="plot script" tabindex="0" role="group" aria-labelledby="chart-${index}"
 aria-describedby="about-${index} keys"></div>
<p class="readout script" role="status"></p>
<p class="about" id="about-${index}">${escapeHtml([...last, ""].join(". ").trim())}${
    notes.map((note) => ` <strong>${escapeHtml(note)}</strong>`).join("")
  }</p>
<details><summary>Values as a table</summary><div class="scroll">${
    chartTable(chart)
  }</div></details>
</section>`;
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

function configSection(heads: string[], rows: string[][]): string {
  if (rows.length === 0) return "";
  return `<section class="config"><h2>Configuration</h2><div class="scroll">${
    table(heads, rows)
  }</div></section>`;
}

function page({ charts, sections, ...page }: Page): string {
  const hint = charts.length > 0
    ? '<p class="hint script" id="keys">Point at a chart, or focus it and press the arrow ' +
      "keys, to read values. Drag, or press + and −, to zoom; double-click or press 0 to zoom " +
      "out.</p>"
    : "<p>No numbers were recorded.</p>";
  return chartPage({
    ...page,
    data: charts,
    script: pageScript,
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
  const { config, records, samples } = options;
  writeFileAtomic(
    path,
    page({
      ...options,
      charts: chartsOf(records),
      sections: [sampleSection(samples), configSection(["Setting", "Value"], flatten(config))],
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
