/**
 * Line charts on a page: their places and tables here, drawn by uPlot in `line_charts.js`.
 *
 * @module
 */
import { escapeHtml, showValue, table } from "./html.ts";

/** One curve; a value of null is a gap, for a number that is not finite. */
export interface Curve {
  /** What the legend calls it. */
  label: string;
  /** How it is drawn: styles differ by more than their colour. The numbered ones are for runs. */
  style: "train" | "faint" | "validation" | `run-${number}`;
  /** Where it has values along the horizontal axis, such as steps; ascending. */
  steps: number[];
  /** The value at each. */
  values: (number | null)[];
}

/** One chart of a page. */
export interface Chart {
  /** Its heading. */
  title: string;
  /** What the horizontal axis counts; steps if absent. */
  axis?: string;
  /** Whether the axis of values begins at zero. */
  fromZero: boolean;
  /** Whether a switch between a linear and a logarithmic axis is offered. */
  logarithmic: boolean;
  /** What is drawn, the last on top. */
  curves: Curve[];
  /** What the reader should know about the values, in sentences. */
  notes: string[];
}

/** Rows of the table that stands for a chart. */
const MOST_ROWS = 40;

/** About `count` of the indices below `length`, first and last among them. */
function spread(length: number, count: number): number[] {
  if (length <= count) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round(i * (length - 1) / (count - 1)));
}

/** The same numbers as a chart, for those who do not see it and for a browser without scripts. */
function chartTable({ curves, axis = "Step" }: Chart): string {
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
  return table([axis, ...curves.map(({ label }) => label)], rows);
}

/** The place of a chart on a page, its values as a table below; `line_charts.js` draws it. */
export function chartSection(chart: Chart, index: number): string {
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

/** How charts are read and zoomed, in words. */
export const CHART_HINT: string =
  '<p class="hint script" id="keys">Point at a chart, or focus it and press the arrow ' +
  "keys, to read values. Drag, or press + and −, to zoom; double-click or press 0 to zoom " +
  "out.</p>";
