/**
 * The lens in lines of text.
 *
 * @module
 */
import {
  type Attributed,
  attributionGap,
  headsPicture,
  signed,
  topNeurons,
} from "../probes/attribution/page.ts";
import { type LensFindings, rowMeans } from "../probes/lens/findings.ts";
import type { ProbeSubject } from "../probes/subject.ts";
import { tokenLabel } from "../probes/token_labels.ts";
import type { LensTraining } from "./lens_training.ts";
import { paintHeatmap, paintTokens } from "./paint.ts";

/** Longest token of a table. */
const WIDE = 10;

/** A line for each place, a column for each layer: the likeliest token, and at the end the right one. */
export function lensTable(subject: ProbeSubject, found: LensFindings): string {
  const { text, tuned, targets } = found;
  const rows = tuned ?? found.plain;
  const cell = (value: string): string => {
    const letters = Array.from(value);
    const short = letters.length > WIDE ? `${letters.slice(0, WIDE - 1).join("")}…` : value;
    return short.padEnd(WIDE);
  };
  const token = (id: number): string => tokenLabel(subject.token(id));
  const head = ["", ...rows.map(({ label }) => label), "", "right", ""].map(cell).join(" ");
  const lines = text.tokens.map((shown, t) => {
    const guesses = rows.map(({ cells }) => {
      const [{ id, probability }] = cells[t].top;
      return paintTokens([{ text: cell(token(id)), value: paintable(probability) }]);
    });
    const last = rows.at(-1)!.cells[t].target;
    const right = last
      ? `${cell(token(targets[t]))} rank ${
        rows.map(({ cells }) => cells[t].target!.rank).join(" → ")
      }`
      : "";
    const sure = `${(100 * rows.at(-1)!.cells[t].top[0].probability).toFixed(0)} %`;
    return [cell(`${t} ${tokenLabel(shown)}`), ...guesses, cell(sure), right].join(" ").trimEnd();
  });
  const means = rows.map((row, l) => {
    const { kl, loss } = rowMeans(row);
    const plain = tuned ? ` (plain lens ${rowMeans(found.plain[l]).kl.toFixed(3)})` : "";
    return `${row.label}: ${kl.toFixed(3)} nats from the final guess${plain}` +
      (loss === null ? "" : `, loss ${loss.toFixed(3)}`);
  });
  return [head.trimEnd(), ...lines, "", ...means].join("\n");
}

/** Without colours a value would be written behind every cell, and columns would not stand in line. */
function paintable(probability: number): number | undefined {
  return paintTokens([{ text: "", value: 1 }]) === "(1.00)" ? undefined : probability;
}

/** Layers with their divergence, plain and tuned. */
export function trainingTable({ layers, windows, steps }: LensTraining): string {
  return [
    `after ${steps} updates on ${windows.train} windows; nats from the final guess, a place, on ` +
    `${windows.heldOut} windows held out`,
    "             logit lens  tuned lens",
    ...layers.map(({ label, plain, tuned }) =>
      `${label.padEnd(12)} ${plain.toFixed(4).padStart(10)}  ${tuned.toFixed(4).padStart(10)}`
    ),
  ].join("\n");
}

/** A logit in parts: components, heads, neurons. */
export function attributionText({ parts }: Attributed, of: string, neurons: number): string {
  const width = Math.max(...parts.components.map(({ component }) => component.length));
  return [
    `${of} is ${parts.logit.toFixed(4)}:`,
    ...parts.components.map(({ component, value }) =>
      `  ${component.padEnd(width)}  ${signed(value)}`
    ),
    `  what is left: ${attributionGap(parts).toExponential(1)}`,
    "",
    paintHeatmap(headsPicture(parts, of)),
    ...topNeurons(parts, neurons).map(({ layer, neuron, value }) =>
      `  layer ${layer}, neuron ${neuron}: ${signed(value)}`
    ),
  ].join("\n");
}
