/**
 * The report of linear probes: accuracy by layer, counts, and what is taken for what.
 *
 * @module
 */
import { table } from "../../formats/page/html.ts";
import type { Heatmap } from "../../formats/page/heatmap.ts";
import type { Chart, Curve } from "../../formats/page/line_charts.ts";
import type { LayerResult } from "./layers.ts";
import type { LinearProbeResult } from "./probe.ts";
import type { ProbePage } from "../probe_page.ts";

/** The layer whose probe beats its control task by most. */
export function mostSelective({ layers }: LinearProbeResult): LayerResult {
  return layers.reduce((best, layer) => layer.selectivity > best.selectivity ? layer : best);
}

/** A part of all as per cent. */
export const perCent = (part: number): string => `${(100 * part).toFixed(1)} %`;

/** All of it as a page. */
export function linearPage(
  result: LinearProbeResult,
  about: { model: string; data: string },
): ProbePage {
  const { layers, labels, unit, train, heldOut, seen } = result;
  const best = mostSelective(result);
  return {
    title: `Linear probes for ${labels.length} labels of ${unit}`,
    figures: {
      "Model": about.model,
      "Data": about.data,
      "Best accuracy": perCent(Math.max(...layers.map(({ accuracy }) => accuracy))),
      "Highest selectivity": `${perCent(best.selectivity)} at ${best.point}`,
      "Lowest selectivity": perCent(Math.min(...layers.map(({ selectivity }) => selectivity))),
    },
    sections: [
      {
        heading: "Accuracy by layer",
        about:
          `Each point is a probe of its own, judged on ${heldOut.examples.toLocaleString("en")} ` +
          `${unit} of documents that it has not seen. The control task gives every type a label from ` +
          "a hat: a probe that does as well there has learnt types by heart. Layer 0 is the embedding.",
        charts: [accuracyChart(result)],
      },
      {
        heading: "The same in numbers",
        about: "Selectivity is accuracy less that of the control task.",
        html: `<div class="scroll numbers">${layerTable(result)}</div>`,
      },
      {
        heading: "What is taken for what",
        about: `Rows are the right labels, columns those that the probe at ${best.point} gave.`,
        heatmaps: [confusionMap(result)],
      },
      {
        heading: "What was counted",
        about: `${perCent(seen)} of the ${unit} held out are of a type that occurs in training.`,
        html: `<div class="scroll numbers">${countTable(result, best)}</div>`,
      },
    ],
    notice: train.examples < 10 * best.confusion.length
      ? "There are few examples for so many labels: these figures may be chance."
      : undefined,
  };
}

/** Accuracy and control accuracy by layer, and what needs no layer. */
function accuracyChart({ layers, random, baselines }: LinearProbeResult): Chart {
  const steps = layers.map((_, i) => i);
  const curve = (label: string, style: Curve["style"], values: number[]): Curve => ({
    label,
    style,
    steps,
    values,
  });
  const flat = (label: string, style: Curve["style"], value: number) =>
    curve(label, style, steps.map(() => value));
  return {
    title: "Right labels, as parts of 1",
    axis: "Layer",
    fromZero: true,
    logarithmic: false,
    curves: [
      flat("majority", "run-6", baselines.majority),
      flat("by type", "run-5", baselines.type),
      ...random
        ? [
          curve("untrained, control", "run-4", random.map(({ control }) => control)),
          curve("untrained", "run-3", random.map(({ accuracy }) => accuracy)),
        ]
        : [],
      curve("control", "run-2", layers.map(({ control }) => control)),
      curve("accuracy", "run-1", layers.map(({ accuracy }) => accuracy)),
    ],
    notes: [],
  };
}

function layerTable({ layers, random }: LinearProbeResult): string {
  const heads = ["Hook point", "Accuracy", "Control", "Selectivity"];
  const more = random ? ["Untrained", "Its control", "Its selectivity"] : [];
  return table(
    [...heads, ...more],
    layers.map((layer, i) => [
      layer.point,
      ...[layer, ...random ? [random[i]] : []].flatMap((l) =>
        [l.accuracy, l.control, l.selectivity].map(perCent)
      ),
    ]),
  );
}

/** Parts of each right label, by the label that was given at the most selective layer. */
export function confusionMap(result: LinearProbeResult): Heatmap {
  const { labels } = result;
  const { confusion, point } = mostSelective(result);
  return {
    title: `Labels given at ${point}, as parts of each right one`,
    rows: labels,
    columns: labels,
    values: confusion.flatMap((row) => {
      const sum = row.reduce((a, b) => a + b, 0);
      return row.map((count) => sum > 0 ? count / sum : null);
    }),
    axes: ["right", "given"],
    most: 1,
  };
}

/** Counts, precision and recall of each label. */
function countTable(
  { labels, train, heldOut }: LinearProbeResult,
  { confusion }: LayerResult,
): string {
  const share = (part: number, of: number) => of > 0 ? perCent(part / of) : "none";
  return table(
    ["Label", "To train on", "Held out", "Given", "Precision", "Recall"],
    [
      ...labels.map((label, k) => {
        const given = confusion.reduce((sum, row) => sum + row[k], 0);
        const right = confusion[k][k];
        return [
          label,
          ...[train.labels[k], heldOut.labels[k], given].map((n) => n.toLocaleString("en")),
          share(right, given),
          share(right, heldOut.labels[k]),
        ];
      }),
      [
        "all",
        train.examples.toLocaleString("en"),
        heldOut.examples.toLocaleString("en"),
        "",
        "",
        "",
      ],
      ["types", train.types.toLocaleString("en"), heldOut.types.toLocaleString("en"), "", "", ""],
    ],
  );
}
