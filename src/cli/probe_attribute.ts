/**
 * `vitrail probe attribute`: which tokens an answer hangs on.
 *
 * @module
 */
import type { Command } from "commander";
import type { Coloured } from "../formats/page/tokens.ts";
import { colouredTokens } from "../formats/page/tokens.ts";
import { table } from "../formats/page/html.ts";
import {
  type Attribution,
  gradientTimesInput,
  type IntegratedGradients,
  integratedGradients,
} from "../probes/attribution/attribution.ts";
import type { Baseline } from "../probes/attribution/baselines.ts";
import { judge, type Judged, type MetricName, metricNames } from "../probes/judge.ts";
import type { ProbePage } from "../probes/probe_page.ts";
import type { ProbedText, ProbeSubject } from "../probes/subject.ts";
import { tokenLabel } from "../probes/token_labels.ts";
import { oneOf } from "./choices.ts";
import { whole } from "./numbers.ts";
import { hasColour, paintTokens } from "./paint.ts";
import { addProbeFlags, type ProbeFlags, withSubject, writeProbe } from "./probe_flags.ts";

/** Values of the flags. */
interface AttributeFlags extends ProbeFlags {
  right?: string;
  wrong?: string;
  place?: number;
  metric?: MetricName;
  method: "integrated" | "gradient";
  baseline: string;
  steps?: number;
}

/** Adds the command to those of `probe`. */
export function addProbeAttribute(probe: Command): void {
  addProbeFlags(probe.command("attribute"))
    .description("colour the tokens of a text by what they have to do with an answer")
    .argument("<text>", "what the model reads")
    .argument("[second]", "a second text, for a BERT: the context of a question")
    .option("--right <answer>", "the answer: a token or a label; what the model says if absent")
    .option("--wrong <answer>", "another answer to compare it with")
    .option("--place <n>", "the place that answers; the last, or the [MASK] of a BERT", Number)
    .option("--metric <name>", metricNames.join(", "), oneOf(...metricNames))
    .option(
      "--method <name>",
      "integrated (gradients) or gradient (times input)",
      oneOf("integrated", "gradient"),
      "integrated",
    )
    .option(
      "--baseline <token>",
      "what stands for no token: zero, mean, or a token such as [PAD]",
      "zero",
    )
    .option(
      "--steps <n>",
      "gradients averaged; if absent 64, or more where they lose 1 %",
      whole(1),
    )
    .action(runAttribute);
}

/** What a call found. */
interface Found extends Judged {
  text: ProbedText;
  /** Its tokens with the spaces between them, where they stand in colour. */
  spaced: string[];
  attribution: Attribution & Partial<IntegratedGradients>;
}

async function runAttribute(
  text: string,
  second: string | undefined,
  flags: AttributeFlags,
): Promise<void> {
  await withSubject(flags, async (subject) => {
    const found = await attribute(subject, subject.encode(text, second), flags);
    const { attribution: { metric, values, scores, baselines, gaps, steps }, answers } = found;
    writeProbe(flags, {
      json: {
        metric,
        ...answers[0],
        value: values[0],
        baseline: baselines?.[0],
        gap: gaps?.[0],
        steps,
        tokens: found.text.tokens,
        scores: scores[0],
      },
      text: () => inWords(found),
      page: () => pageOf(found, flags),
    });
  });
}

async function attribute(
  subject: ProbeSubject,
  text: ProbedText,
  flags: AttributeFlags,
): Promise<Found> {
  using scope = subject.model.device.detachedScope();
  const { right, wrong, place, method, steps } = flags;
  const judged = await judge(subject, [text], {
    questions: [{ right, wrong, place }],
    metric: flags.metric,
  });
  const input = scope.run(() => subject.input([text]));
  const { metric } = judged;
  const attribution = method === "gradient"
    ? await gradientTimesInput(subject.model, input, { metric })
    : await integratedGradients(subject.model, input, {
      metric,
      steps,
      baseline: baselineOf(subject, text, flags.baseline),
    });
  return { ...judged, text, spaced: subject.spaced(text.tokens), attribution };
}

/** A BERT's `[CLS]` and `[SEP]` say nothing of their own, and stay as they are. */
function baselineOf(subject: ProbeSubject, { tokens }: ProbedText, name: string): Baseline {
  const kept = subject.family === "bert"
    ? tokens.flatMap((token, t) => token === "[CLS]" || token === "[SEP]" ? [t] : [])
    : [];
  return { token: name === "zero" || name === "mean" ? name : subject.answer(name), kept };
}

const plain = (token: string): string => token.trim();

/** Tokens in the colour of their share of the strongest. */
function coloured(
  { text, attribution: { scores: [scores] } }: Found,
  shown: readonly string[],
): Coloured[] {
  const most = Math.max(...scores.map(Math.abs)) || 1;
  return shown.map((token, t) => ({
    text: token,
    value: scores[t] / most,
    note: `${text.tokens[t].trim()}: ${scores[t].toPrecision(3)}`,
  }));
}

function question({ answers: [{ right, wrong }], attribution: { metric } }: Found): string {
  const shown = (answer: string) => tokenLabel(answer.trim() || answer);
  const against = wrong === undefined ? "" : ` rather than ${shown(wrong)}`;
  const [name, ...unit] = metric.split(", ");
  return [`${name} of ${shown(right)}${against}`, ...unit].join(", ");
}

function inWords(found: Found): string {
  const { attribution: { values: [value], scores: [scores], baselines, gaps, steps } } = found;
  const order = scores.map((score, t) => ({ score, t }))
    .toSorted((a, b) => Math.abs(b.score) - Math.abs(a.score)).slice(0, 5);
  return [
    `${question(found)}: ${value.toFixed(3)}` +
    (baselines ? `, ${baselines[0].toFixed(3)} at the baseline` : ""),
    paintTokens(coloured(found, hasColour() ? found.spaced : found.text.tokens.map(plain))),
    "most: " +
    order.map(({ score, t }) => `${found.text.tokens[t].trim()} ${score.toFixed(3)} (${t})`).join(
      "; ",
    ),
    ...(gaps ? [`completeness gap: ${(100 * gaps[0]).toFixed(3)} % at ${steps} steps`] : []),
  ].join("\n");
}

function pageOf(found: Found, flags: AttributeFlags): ProbePage {
  const { text, attribution: { values: [value], scores: [scores], baselines, gaps, steps } } =
    found;
  return {
    title: flags.method === "gradient" ? "Gradient × input" : "Integrated gradients",
    figures: {
      model: flags.model,
      [question(found)]: value,
      ...(baselines && { [`at the baseline (${flags.baseline})`]: baselines[0] }),
      ...(gaps && { [`completeness gap at ${steps} steps`]: `${(100 * gaps[0]).toFixed(3)} %` }),
    },
    sections: [
      {
        heading: "The text",
        about: "Blue speaks for the answer, orange against it; full colour is the strongest token.",
        html: colouredTokens(coloured(found, found.spaced)),
      },
      {
        heading: "In figures",
        about: baselines &&
          "The attributions sum to the difference between the answer and its baseline, but for the gap.",
        html: table(
          ["place", "token", "attribution"],
          scores.map((score, t) => [`${t}`, text.tokens[t], score.toPrecision(4)]),
        ),
      },
    ],
  };
}
