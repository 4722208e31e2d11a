/**
 * The page about induction heads: how they form, where they are, and what shows that they do it.
 *
 * @module
 */
import type { Chart, Curve } from "../../formats/page/line_charts.ts";
import { colouredTable } from "../../formats/page/tokens.ts";
import { type AttentionFindings, CLEAR, headPicture } from "../attention/findings.ts";
import type { ProbePage, ProbeSection } from "../probe_page.ts";
import { type HeadId, headName } from "../attention/maps.ts";
import type { HeadAblation, InductionEvidence } from "./evidence.ts";
import type { InductionHistory } from "./train.ts";

/** What the page tells of. */
export interface InductionPage {
  /** What was found. */
  evidence: InductionEvidence;
  /** How the model learnt, if that was seen. */
  history?: InductionHistory;
  /** One sequence, as the model attends to it. */
  example: AttentionFindings;
}

/** The whole page. */
export function inductionPage({ evidence, history, example }: InductionPage): ProbePage {
  const { found, previous, intact, together, period } = evidence;
  return {
    title: "Induction heads",
    figures: {
      "Induction head": found.induction > CLEAR ? headName(found) : "none",
      "Highest score": found.induction.toFixed(3),
      "Loss, repeated": intact.repeated.toFixed(3),
      "Without induction heads": together.repeated.toFixed(3),
    },
    sections: [
      ...history ? [formation(history)] : [],
      {
        heading: "Which heads",
        about:
          `On ${period} random tokens and then the same again: the part of each head's attention that ` +
          "goes to what followed its token last time, and to the token before; and what the loss of the " +
          "repeated tokens rises to without that head alone.",
        html: scoreTable(evidence),
      },
      {
        heading: "What they look at",
        about:
          "Each row is a place that looks, each column a place looked at. The stripe of an induction head " +
          "begins where the tokens repeat; that of a previous-token head runs beside the diagonal.",
        heatmaps: [found, ...previous ? [previous] : []].map((head) =>
          headPicture(example, { ...head, title: `Layer ${head.layer}, head ${head.head}` })
        ),
      },
      {
        heading: "Without them",
        about:
          "Mean loss in nats. A head out of work gives its mean over other such sequences, so that it " +
          `says nothing about this one. From place ${
            period + 1
          } on, what follows has been shown before; ` +
          "sooner, there is nothing to know.",
        html: ablationTable(evidence),
        charts: [byPlaceChart(evidence)],
      },
      ...evidence.paths.length > 0
        ? [{
          heading: "Who tells them",
          about:
            "The tokens are others the first time, but only one head notices, and only the queries, the " +
            "keys or the values of the induction heads hear of it. 1: this does as much harm as if the whole " +
            "model noticed.",
          html: pathTable(evidence),
        }]
        : [],
    ],
  };
}

/** The ablations that say most, each with words for what is missing; a head of no clear kind gets no name. */
export function ablationsToShow(
  { intact, alone, together, induction, found, previous }: InductionEvidence,
): (HeadAblation & { label: string })[] {
  const without = (head: HeadId): HeadAblation =>
    alone.find(({ heads: [only] }) => headName(only) === headName(head))!;
  const shown = [
    { label: "nothing", ...intact },
    { label: `${headName(found)}, which scores highest`, ...without(found) },
  ];
  if (induction.length > 1 && found.induction > CLEAR) {
    shown.push({ label: `all ${induction.length} induction heads`, ...together });
  }
  if (previous && previous.previousToken > CLEAR) {
    shown.push({ label: `${headName(previous)}, the previous-token head`, ...without(previous) });
  }
  return shown;
}

/** How a head may hear of what another says. */
export const WAYS: readonly (readonly ["query" | "key" | "value", string])[] = [
  ["query", "queries"],
  ["key", "keys"],
  ["value", "values"],
];

/** An effect to three digits; what is nothing has no sign. */
export const showEffect = (effect: number): string => effect.toFixed(3).replace(/^-(0\.0+)$/, "$1");

/** The curves of training: what a model learns, and when its heads begin to do it. */
function formation({ steps, fresh, repeated, heads }: InductionHistory): ProbeSection {
  const chart = (title: string, curves: Omit<Curve, "steps">[]): Chart => ({
    title,
    fromZero: true,
    logarithmic: false,
    curves: curves.map((curve) => ({ ...curve, steps })),
    notes: [],
  });
  const ofLayer = (layer: number, kind: "induction" | "previousToken") =>
    heads.filter((head) => head.layer === layer).map((head, i) => ({
      label: headName(head),
      style: `run-${i + 1}` as const,
      values: head[kind],
    }));
  return {
    heading: "How they form",
    about:
      "At first the model knows nothing. Then a head of layer 0 attends to the token before, and heads " +
      "of layer 1 to what followed last time: the loss of repeated tokens falls. For the first six " +
      "tenths of training the model is not asked for new tokens, and is sure of wrong ones; asked for " +
      "them, it learns that it cannot know.",
    charts: [
      chart("Loss of unseen sequences, in nats", [
        { label: "new tokens", style: "train", values: fresh },
        { label: "repeated tokens", style: "validation", values: repeated },
      ]),
      chart("Induction score, layer 1", ofLayer(1, "induction")),
      chart("Previous-token score, layer 0", ofLayer(0, "previousToken")),
    ],
  };
}

function scoreTable({ scores, alone }: InductionEvidence): string {
  const most = Math.max(...alone.map(({ repeated }) => repeated));
  const rows = scores.map((head, i) => {
    const cell = (value: number, { of, strength = value }: { of: string; strength?: number }) => ({
      text: value.toFixed(3),
      value: strength,
      note: `Head ${headName(head)}: ${of} ${value.toFixed(4)}`,
    });
    const { repeated } = alone[i];
    return {
      label: headName(head),
      cells: [
        cell(head.induction, { of: "induction score" }),
        cell(head.previousToken, { of: "previous-token score" }),
        cell(repeated, { of: "loss of repeated tokens without it", strength: repeated / most }),
      ],
    };
  });
  return colouredTable(["Head", "induction", "previous token", "loss without it"], rows);
}

function ablationTable(evidence: InductionEvidence): string {
  const shown = ablationsToShow(evidence);
  const most = Math.max(...shown.map(({ repeated }) => repeated));
  const rows = shown.map(({ label, fresh, repeated }) => ({
    label,
    cells: [
      { text: fresh.toFixed(4), note: `New tokens, without ${label}: ${fresh.toFixed(5)} nats` },
      {
        text: repeated.toFixed(4),
        value: repeated / most,
        note: `Repeated tokens, without ${label}: ${repeated.toFixed(5)} nats`,
      },
    ],
  }));
  return colouredTable(["Without", "new tokens", "repeated tokens"], rows);
}

/** The loss along the sequence, with all heads and without some. */
function byPlaceChart(evidence: InductionEvidence): Chart {
  return {
    title: "Loss by place, in nats",
    axis: "Place",
    fromZero: true,
    logarithmic: false,
    curves: ablationsToShow(evidence).map(({ label, byPlace }, i) => ({
      label: i === 0 ? "with all heads" : `without ${label}`,
      style: `run-${i + 1}` as const,
      steps: byPlace.map((_, t) => t),
      values: byPlace,
    })),
    notes: [],
  };
}

function pathTable({ paths }: InductionEvidence): string {
  const rows = paths.map((path) => ({
    label: headName(path),
    cells: WAYS.map(([way, name]) => ({
      text: showEffect(path[way]),
      value: path[way],
      note: `From head ${headName(path)} by the ${name}: ${path[way].toFixed(4)}`,
    })),
  }));
  return colouredTable(["Head", ...WAYS.map(([, name]) => name)], rows);
}
