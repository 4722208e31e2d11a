/**
 * What the lens shows of one text, and the page about it.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Heatmap } from "../../formats/page/heatmap.ts";
import type { Chart } from "../../formats/page/line_charts.ts";
import { colouredTable } from "../../formats/page/tokens.ts";
import { type LensCell, type LensRow, logitLens } from "./logit_lens.ts";
import { mean } from "../metrics.ts";
import type { ProbeSection } from "../probe_page.ts";
import type { ProbedText, ProbeSubject } from "../subject.ts";
import { placeLabels, tokenLabel } from "../token_labels.ts";
import type { TunedLens } from "./tuned_lens.ts";

/** What was found. */
export interface LensFindings {
  /** The text as the model read it: with masks, if some were asked for. */
  text: ProbedText;
  /** The token to guess at each place, -100 for none. */
  targets: number[];
  /** Through the plain lens, layer by layer. */
  plain: LensRow[];
  /** Through a tuned lens, if there was one. */
  tuned?: LensRow[];
}

/** How to look. */
export interface LensLook {
  /** Places of a BERT's text to mask; what stood there is what it has to guess. */
  mask?: readonly number[];
  /** Guesses for each cell. */
  top: number;
  /** A lens that was trained. */
  tuned?: TunedLens;
}

/**
 * Looks at one text. A GPT is judged by the next token at each place, a BERT by what it has to guess at the
 * places that `mask` names.
 *
 * @throws {VitrailError} if places are masked that are not there, or of a GPT
 */
export async function examineLens(
  subject: ProbeSubject,
  given: ProbedText,
  { mask = [], top, tuned }: LensLook,
): Promise<LensFindings> {
  const { model, family } = subject;
  const text = masked(subject, given, mask);
  const targets = Array.from(
    given.ids,
    (id, t) => family === "gpt2" ? given.ids[t + 1] ?? -100 : mask.includes(t) ? id : -100,
  );
  using scope = model.device.detachedScope();
  const input = scope.run(() => subject.input([text]));
  const plain = await logitLens(model, input, { targets, top });
  if (!tuned) return { text, targets, plain };
  return { text, targets, plain, tuned: await logitLens(model, input, { targets, top, tuned }) };
}

function masked(subject: ProbeSubject, text: ProbedText, mask: readonly number[]): ProbedText {
  if (mask.length === 0) return text;
  if (subject.family === "gpt2") {
    throw new VitrailError("Cannot mask places of a text for a GPT: it guesses what comes next");
  }
  const maskId = subject.tokenizer.tokenToId("[MASK]")!;
  const [ids, tokens] = [text.ids.slice(), [...text.tokens]];
  for (const t of mask) {
    if (t >= ids.length) {
      throw new VitrailError(
        `Cannot mask place ${t}: the text has places 0 to ${ids.length - 1}, \`[CLS]\` among them`,
      );
    }
    [ids[t], tokens[t]] = [maskId, "[MASK]"];
  }
  return { ...text, ids, tokens };
}

/** Means of a row over its places. */
export function rowMeans({ cells }: LensRow): { kl: number; loss: number | null } {
  const losses = cells.flatMap(({ target }) => target ? [-Math.log(target.probability)] : []);
  return {
    kl: mean(cells.map(({ klToFinal }) => klToFinal)),
    loss: losses.length > 0 ? mean(losses) : null,
  };
}

/** How far each layer is from the end, as a picture. */
export function divergencePicture({ text, plain, tuned }: LensFindings): Heatmap {
  const rows = tuned ?? plain;
  return {
    title: `Divergence from the final guess, in nats${tuned ? ", tuned lens" : ""}`,
    rows: rows.map(({ label }) => label),
    columns: placeLabels(text.tokens),
    values: rows.flatMap(({ cells }) => cells.map(({ klToFinal }) => klToFinal)),
    axes: ["after", "place"],
  };
}

/** Where the token to be guessed stands among all, as a picture: log₁₀, so that 0 is the first. */
export function rankPicture({ text, plain, tuned }: LensFindings): Heatmap {
  const rows = tuned ?? plain;
  return {
    title: `log₁₀ of the rank of the right token${tuned ? ", tuned lens" : ""}`,
    rows: rows.map(({ label }) => label),
    columns: placeLabels(text.tokens),
    values: rows.flatMap(({ cells }) =>
      cells.map(({ target }) => target ? Math.log10(target.rank) : null)
    ),
    axes: ["after", "place"],
  };
}

/** The parts of a page about a text. */
export function lensSections(subject: ProbeSubject, found: LensFindings): ProbeSection[] {
  const { text, plain, tuned, targets } = found;
  const judged = targets.some((id) => id >= 0);
  const guesses = (rows: LensRow[]): string =>
    colouredTable(
      ["Place", ...rows.map(({ label }) => label)],
      placeLabels(text.tokens).map((place, t) => ({
        label: place,
        cells: rows.map(({ label, cells }) => ({
          text: tokenLabel(subject.token(cells[t].top[0].id)),
          value: cells[t].top[0].probability,
          note: note(subject, cells[t], `${label}, place ${t} “${tokenLabel(text.tokens[t])}”`),
        })),
      })),
    );
  const what = subject.family === "gpt2" ? "the next token" : "the token at each place";
  const reading =
    `What the model would say is ${what} if it stopped after that layer. The colour is the ` +
    "probability of the guess; a cell says more when it is pointed at or reached by keys.";
  return [
    {
      heading: "Guesses after each layer",
      about: tuned
        ? `${reading} The tuned lens translates each layer into the basis of the last one first.`
        : reading,
      html: tuned
        ? `<div class="abreast"><div><h3>Logit lens</h3>${guesses(plain)}</div>` +
          `<div><h3>Tuned lens</h3>${guesses(tuned)}</div></div>`
        : guesses(plain),
    },
    {
      heading: judged ? "How far from the end, and from the truth" : "How far from the end",
      charts: [
        byLayer("Divergence from the final guess, in nats", found, (row) => rowMeans(row).kl),
        ...(judged
          ? [byLayer("Loss on the right token, in nats", found, (row) => rowMeans(row).loss)]
          : []),
      ],
    },
    {
      heading: "By place",
      heatmaps: [divergencePicture(found), ...(judged ? [rankPicture(found)] : [])],
    },
  ];
}

function byLayer(
  title: string,
  { plain, tuned }: LensFindings,
  value: (row: LensRow) => number | null,
): Chart {
  const curve = (label: string, style: "train" | "validation", rows: LensRow[]) => ({
    label,
    style,
    steps: rows.map((_, l) => l),
    values: rows.map(value),
  });
  return {
    title,
    axis: "Layer",
    fromZero: true,
    logarithmic: false,
    curves: [
      curve("logit lens", "train", plain),
      ...(tuned ? [curve("tuned lens", "validation", tuned)] : []),
    ],
    notes: [],
  };
}

function note(subject: ProbeSubject, { top, klToFinal, target }: LensCell, where: string): string {
  const percent = (p: number): string => `${(100 * p).toFixed(1)} %`;
  const guesses = top.map(({ id, probability }) =>
    `${tokenLabel(subject.token(id))} ${percent(probability)}`
  );
  const right = target &&
    `; right would be ${tokenLabel(subject.token(target.id))}: rank ${target.rank}, ` +
      percent(target.probability);
  return `${where}: ${guesses.join(", ")}; ${klToFinal.toFixed(3)} nats from the end${right ?? ""}`;
}
