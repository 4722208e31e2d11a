/**
 * The page of a sparse autoencoder: its figures, its training, and features with their examples.
 *
 * @module
 */
import { escapeHtml, showValue, table } from "../../formats/page/html.ts";
import type { Chart } from "../../formats/page/line_charts.ts";
import { colouredTokens } from "../../formats/page/tokens.ts";
import type { ProbePage, ProbeSection } from "../probe_page.ts";
import type { SparseAutoencoder } from "./sparse_autoencoder.ts";
import type { TokenWeight } from "../token_weights.ts";
import type { Feature, FeatureExample } from "./features.ts";
import type { SaeFindings } from "./probe.ts";
import type { SaeReport } from "./train.ts";

/** What the page is about. */
export interface SaePageParts extends SaeFindings {
  /** What is shown. */
  sae: SparseAutoencoder;
  /** How training went; empty if it was trained before. */
  reports: readonly SaeReport[];
}

/** The page. */
export function saePage({ sae, fit, losses, features, reports }: SaePageParts): ProbePage {
  const { config } = sae;
  const sections: ProbeSection[] = features.map((feature) => featureSection(feature));
  if (reports.length > 1) {
    sections.push({ heading: "Training", charts: charts(reports) });
  }
  sections.push({
    heading: "All features by how often they fire",
    about:
      "Features in the order of their frequency; a few that fire nearly everywhere, and many that " +
      "fire hardly ever, describe little of what single tokens are about.",
    html: frequencyTable(fit.frequencies),
  });
  return {
    title: `Sparse autoencoder at ${config.hook}`,
    notice:
      "The examples are where a feature is strongest. What they have in common is a guess at its " +
      "meaning, and says nothing of the many places where it is weak.",
    figures: {
      "fraction of variance": fit.fractionOfVariance,
      "L0, features at once": fit.l0,
      "features": config.features,
      "that never fired here": fit.dead,
      ...losses && {
        "loss as it is": losses.clean,
        "loss with the reconstruction": losses.spliced,
        "loss with zeros": losses.zero,
        "loss recovered": losses.recovered,
      },
      "tokens measured": fit.rows,
    },
    sections,
  };
}

function charts(reports: readonly SaeReport[]): Chart[] {
  const steps = reports.map(({ step }) => step);
  const chart = (title: string, values: number[], logarithmic: boolean): Chart => ({
    title,
    fromZero: true,
    logarithmic,
    curves: [{ label: title, style: "train", steps, values }],
    notes: [],
  });
  return [
    chart("Error, with the variance as 1", reports.map(({ loss }) => loss), true),
    chart("Dead features", reports.map(({ dead }) => dead), false),
  ];
}

function featureSection(feature: Feature): ProbeSection {
  const { promoted, suppressed, examples } = feature;
  const most = examples[0]?.values[examples[0].at] ?? 1;
  const words = [
    promoted && weightLine("speaks for", promoted),
    suppressed && weightLine("speaks against", suppressed),
  ].filter((line) => line !== undefined);
  return {
    heading: `Feature ${feature.feature}`,
    about: `Fires at ${percent(feature.frequency)} of the tokens, ${showValue(feature.mean)} ` +
      "on average where it does.",
    html: words.join("") + examples.map((example) => exampleHtml(example, most)).join("\n"),
  };
}

function exampleHtml({ tokens, values, at }: FeatureExample, most: number): string {
  return colouredTokens(tokens.map((text, i) => ({
    text: shown(text, tokens),
    value: values[i] > 0 ? values[i] / most : undefined,
    note: `${text}: ${showValue(values[i])}${i === at ? ", the highest of this window" : ""}`,
  })));
}

/** A token as a part of its text: WordPiece's carry no space, and a GPT's may be half a character. */
function shown(text: string, tokens: readonly string[]): string {
  if (tokens.some((token) => token.includes(" "))) return text === "" ? "�" : text;
  return text.startsWith("##") ? text.slice(2) : ` ${text}`;
}

function weightLine(words: string, weights: readonly TokenWeight[]): string {
  const shown = weights.map(({ token, weight }) =>
    `<code>${escapeHtml(JSON.stringify(token).slice(1, -1))}</code> ${
      escapeHtml(weight.toFixed(2))
    }`
  );
  return `<p>It ${words}: ${shown.join(", ")}.</p>`;
}

function frequencyTable(frequencies: Float64Array): string {
  const bounds = [0.5, 0.1, 0.03, 0.01, 0.003, 0.001, 0];
  const rows = bounds.map((least, i) => {
    const most = i === 0 ? Infinity : bounds[i - 1];
    const count = frequencies.filter((f) => f > least && f <= most).length;
    const name = least === 0 ? `at most ${percent(most)}` : `more than ${percent(least)}`;
    return [name, String(count)];
  });
  rows.push(["never", String(frequencies.filter((f) => f === 0).length)]);
  return table(["of the tokens", "features"], rows);
}

/** A share in per cent, to three digits. */
function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
