/**
 * The part of a page that shows a logit taken apart.
 *
 * @module
 */
import type { Heatmap } from "../../formats/page/heatmap.ts";
import { colouredTable } from "../../formats/page/tokens.ts";
import type { LogitAttribution } from "../lens/logit_attribution.ts";
import type { ProbeSection } from "../probe_page.ts";

/** One logit in parts, and which it is. */
export interface Attributed {
  /** The token. */
  answer: string;
  /** The token whose logit is subtracted, if any. */
  against?: string;
  /** The place whose logit it is. */
  place: number;
  /** Its parts. */
  parts: LogitAttribution;
}

/** One neuron's part. */
export interface NeuronPart {
  /** Its layer, from 0. */
  layer: number;
  /** Its number in the layer, from 0. */
  neuron: number;
  /** In logits. */
  value: number;
}

/** What is left of the logit when all parts are subtracted: rounding, if all is well. */
export function attributionGap({ logit, components }: LogitAttribution): number {
  return logit - components.reduce((sum, { value }) => sum + value, 0);
}

/** The neurons that matter most, for or against. */
export function topNeurons({ mlp }: LogitAttribution, count: number): NeuronPart[] {
  return mlp.flatMap(({ neurons }, layer) =>
    Array.from(neurons, (value, neuron) => ({ layer, neuron, value }))
  ).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, count);
}

/** Heads by layer as a picture. */
export function headsPicture({ attention }: LogitAttribution, of: string): Heatmap {
  return {
    title: `What each head adds to ${of}`,
    rows: attention.map((_, l) => `layer ${l}`),
    columns: Array.from(attention[0].heads, (_, h) => `head ${h}`),
    values: attention.flatMap(({ heads }) => [...heads]),
    axes: ["", ""],
    scale: "diverging",
  };
}

/** The parts of a page about one logit. */
export function attributionSections(
  found: LogitAttribution,
  { of, neurons }: { of: string; neurons: number },
): ProbeSection[] {
  const { components } = found;
  const most = Math.max(...components.map(({ value }) => Math.abs(value)));
  const parts = topNeurons(found, neurons);
  const cell = (value: number, highest: number, name: string) => ({
    text: signed(value),
    value: value / highest,
    note: `${name} adds ${signed(value)} to ${of}`,
  });
  return [
    {
      heading: `Where ${of} comes from`,
      about:
        "What each component adds by itself, with the scales of the norms held: the parts add up to " +
        `the logit, ${found.logit.toFixed(4)}, but for ${attributionGap(found).toExponential(1)}.`,
      html: colouredTable(
        ["Component", "adds"],
        components.map(({ component, value }) => ({
          label: component,
          cells: [cell(value, most, component)],
        })),
      ),
      heatmaps: [headsPicture(found, of)],
    },
    ...(parts.length > 0
      ? [{
        heading: "The neurons that matter most",
        html: colouredTable(
          ["Neuron", "adds"],
          parts.map(({ layer, neuron, value }) => ({
            label: `layer ${layer}, neuron ${neuron}`,
            cells: [cell(value, Math.abs(parts[0].value), `Layer ${layer}, neuron ${neuron}`)],
          })),
        ),
      }]
      : []),
  ];
}

/** A number with its sign, for something that is added. */
export function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}
