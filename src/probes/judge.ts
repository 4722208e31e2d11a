/**
 * Questions in words: which answer a model is judged by, where, and by which metric.
 *
 * @module
 */
import { bestSpans } from "../data/answers/answer_spans.ts";
import { VitrailError } from "../errors.ts";
import { quoteName } from "../formats/messages.ts";
import { Gpt } from "../models/gpt.ts";
import type { Activation } from "./activation_cache.ts";
import {
  logit,
  logitDifference,
  logProbability,
  type Metric,
  probability,
  spanScore,
} from "./metrics.ts";
import { runWithHooks } from "./run_with_hooks.ts";
import type { ProbedText, ProbeSubject } from "./subject.ts";

/** What a model is asked about a text. What is left out is what the model itself says. */
export interface JudgeQuestion {
  /** The right answer: a token, or a label of a classifier or tagger. */
  right?: string;
  /** A wrong one to compare it with. */
  wrong?: string;
  /** The place that answers; by default the last of a GPT, and the one `[MASK]` of a BERT. */
  place?: number;
}

/** Metrics by name; `span` is for answers to questions. */
export type MetricName = "logit-difference" | "log-probability" | "probability" | "logit" | "span";
/** Those that can be asked for. */
export const metricNames: readonly MetricName[] = [
  "logit-difference",
  "log-probability",
  "probability",
  "logit",
];

/** What is judged, with the answers in words. */
export interface Judged {
  /** One number for each text. */
  metric: Metric;
  /** What it is about, for each text; the place is absent where a whole text is judged. */
  answers: { right: string; wrong?: string; place?: number }[];
}

/** How to judge. */
export interface JudgeOptions {
  /** One for each text; absent, the model's own answers are taken. */
  questions?: readonly JudgeQuestion[];
  /** The metric; logit difference if there is something wrong to compare with, else log probability. */
  metric?: MetricName;
  /** Texts whose likeliest answers are the wrong ones, where none is given: the corrupted ones. */
  against?: readonly ProbedText[];
}

/**
 * Turns questions into a metric.
 *
 * @throws {VitrailError} if an answer is no single token or no label of the model, a place cannot be told,
 * or a difference is asked for with nothing to compare
 */
export async function judge(
  subject: ProbeSubject,
  texts: readonly ProbedText[],
  options: JudgeOptions = {},
): Promise<Judged> {
  const { questions = texts.map((): JudgeQuestion => ({})), against } = options;
  const { model } = subject;
  if (!(model instanceof Gpt) && model.heads.settings.kind === "question-answering") {
    return await judgeSpans(subject, texts);
  }
  const places = texts.map((text, i) => placeOf(subject, text, questions[i]));
  const own = questions.some(({ right }) => right === undefined)
    ? await likeliest(subject, texts, places)
    : [];
  const others = against && questions.some(({ wrong }) => wrong === undefined)
    ? await likeliest(subject, against, places)
    : undefined;
  const right = questions.map((q, i) => q.right === undefined ? own[i] : idOf(subject, q.right));
  let wrong: number[] | undefined = questions.map((q, i) =>
    q.wrong === undefined ? others?.[i] ?? -1 : idOf(subject, q.wrong)
  );
  if (wrong.some((id, i) => id < 0 || id === right[i] && questions[i].wrong === undefined)) {
    wrong = undefined;
  }
  const at = places.map((place) => place ?? 0);
  const kind = options.metric ?? (wrong ? "logit-difference" : "log-probability");
  if (kind === "logit-difference" && !wrong) {
    throw new VitrailError(
      "Cannot take a difference of logits with one answer: wanted a wrong one to compare it with",
    );
  }
  const metric = kind === "logit-difference"
    ? logitDifference({ right, wrong: wrong! }, { at })
    : { "log-probability": logProbability, probability, logit, span: logit }[kind](right, { at });
  const compared = kind === "logit-difference" ? wrong : undefined;
  return {
    metric,
    answers: right.map((id, i) => ({
      right: nameOf(subject, id),
      wrong: compared && nameOf(subject, compared[i]),
      place: places[i],
    })),
  };
}

/**
 * Checks that texts match token by token, as patching needs.
 *
 * @throws {VitrailError} if they differ in their number of tokens; the message shows those of both
 */
export function checkSameLength(clean: ProbedText, corrupted: ProbedText): void {
  const [a, b] = [clean, corrupted].map(({ tokens }) => tokens.length);
  if (a === b) return;
  const show = ({ tokens }: ProbedText) => tokens.map((token) => quoteName(token)).join(" ");
  throw new VitrailError(
    `Cannot patch between texts of ${a} and ${b} tokens: ${show(clean)} and ${show(corrupted)}; ` +
      "wanted one for each, so exchange words for words of as many tokens",
  );
}

/** Labels of a classifier or tagger; absent for models of tokens. */
function labelsOf({ model }: ProbeSubject): readonly string[] | undefined {
  if (model instanceof Gpt) return undefined;
  const { settings } = model.heads;
  return "labels" in settings ? settings.labels : undefined;
}

function idOf(subject: ProbeSubject, answer: string): number {
  const labels = labelsOf(subject);
  if (!labels) return subject.answer(answer);
  const id = labels.indexOf(answer);
  if (id >= 0) return id;
  throw new VitrailError(
    `Cannot ask for the label ${quoteName(answer)}: this model has ${labels.join(", ")}`,
  );
}

function nameOf(subject: ProbeSubject, id: number): string {
  return labelsOf(subject)?.[id] ?? subject.token(id);
}

/** The place of a text that answers; undefined where the text as a whole is classified. */
function placeOf(
  subject: ProbeSubject,
  { ids, tokens, text }: ProbedText,
  { place }: JudgeQuestion,
): number | undefined {
  const { model } = subject;
  if (!(model instanceof Gpt) && model.heads.settings.kind === "sequence-classification") {
    return undefined;
  }
  if (place !== undefined) {
    const from = place < 0 ? ids.length + place : place;
    if (Number.isInteger(from) && from >= 0 && from < ids.length) return from;
    throw new VitrailError(
      `Cannot judge place ${place} of ${quoteName(text)}: its tokens have places 0 to ${
        ids.length - 1
      }`,
    );
  }
  if (model instanceof Gpt) return ids.length - 1;
  const masks = tokens.flatMap((token, i) => token === "[MASK]" ? [i] : []);
  if (masks.length === 1) return masks[0];
  throw new VitrailError(
    `Cannot tell which place of ${quoteName(text)} answers: it has ${masks.length} [MASK]; ` +
      "wanted one, or the place's number",
  );
}

/** The likeliest answer at each text's place. */
async function likeliest(
  subject: ProbeSubject,
  texts: readonly ProbedText[],
  places: readonly (number | undefined)[],
): Promise<number[]> {
  const { data, shape } = await logitsOf(subject, texts);
  const [V, T] = [shape.at(-1)!, shape.length > 2 ? shape[1] : 1];
  return texts.map((_, b) => {
    const begin = (b * T + (places[b] ?? 0)) * V;
    return best(data.subarray(begin, begin + V));
  });
}

/** The span of each text that `answer` would give: of the second text, if there are two. */
async function judgeSpans(subject: ProbeSubject, texts: readonly ProbedText[]): Promise<Judged> {
  const { data, shape: [, T] } = await logitsOf(subject, texts);
  const spans = texts.map((text, b) => {
    const contextBegin = text.second === undefined ? 1 : text.segments!.indexOf(1);
    const length = text.ids.length - 1 - contextBegin; // without [SEP]
    const said = (side: 0 | 1): number[] =>
      Array.from({ length: T }, (_, t) => data[(b * T + t) * 2 + side]);
    // Places among the tokens stand for places in the text: the metric asks about tokens.
    const offsets = Array.from({ length }, (_, i): [number, number] => [i, i + 1]);
    const [best] = bestSpans([
      { window: { contextBegin, offsets }, begins: said(0), ends: said(1) },
    ], { best: 1 }).spans;
    if (best) return { begin: contextBegin + best.begin, end: contextBegin + best.end - 1 };
    const shown = quoteName(text.second ?? text.text);
    throw new VitrailError(
      `Cannot judge an answer in ${shown}: ${
        length === 0
          ? "it has no words"
          : "the model's logits are not finite; its weights are broken"
      }`,
    );
  });
  return {
    metric: spanScore(spans.map(({ begin }) => begin), spans.map(({ end }) => end)),
    answers: spans.map(({ begin, end }, b) => {
      const { text, second = text, offsets } = texts[b];
      return { right: second.slice(offsets![begin][0], offsets![end][1]) };
    }),
  };
}

async function logitsOf(
  subject: ProbeSubject,
  texts: readonly ProbedText[],
): Promise<Activation> {
  const { model } = subject;
  const [logits] = await model.device.compute(() => [
    runWithHooks(model, subject.input(texts), { hooks: [] }),
  ]);
  return logits as Activation;
}

function best(logits: Float32Array): number {
  return logits.reduce((most, value, i) => value > logits[most] ? i : most, 0);
}
