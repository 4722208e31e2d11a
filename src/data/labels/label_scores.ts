/**
 * How good predicted labels are: accuracy, F1, the confusion matrix, calibration.
 *
 * Precision, recall and F1 are 0 where nothing was predicted or nothing was there, and the macro F1 of
 * classes leaves out those that neither occur nor were predicted, as scikit-learn has it. What is
 * undefined for other reasons is absent. Notes say of each where that is so.
 *
 * @module
 */
import { checkOptions, count } from "../../formats/option_rules.ts";

/** Figures of one class or label. */
export interface ClassFigures {
  /** Its name. */
  label: string;
  /** Part of its predictions that are right. */
  precision: number;
  /** Part of its texts that were found. */
  recall: number;
  /** Harmonic mean of both. */
  f1: number;
  /** Texts that have it. */
  support: number;
}

/** What the figures of all kinds have. */
export interface Noted {
  /** What could not be computed as it is defined, and what stands in its place; absent if there is nothing. */
  notes?: string[];
}

/** Of texts with one class each. */
export interface SingleLabelFigures extends Noted {
  /** What this is about. */
  kind: "single";
  /** Texts. */
  count: number;
  /** Part of the texts whose class was found. */
  accuracy: number;
  /** Mean F1 of the classes that occur or were predicted, each counting once. */
  macroF1: number;
  /** Expected calibration error, as {@linkcode calibrationError}. */
  calibrationError: number;
  /** By class. */
  classes: ClassFigures[];
  /** Texts by true class (row) and predicted one (column). */
  confusion: number[][];
}

/** Of texts with any number of labels. */
export interface MultipleLabelFigures extends Noted {
  /** What this is about. */
  kind: "multiple";
  /** Texts. */
  count: number;
  /** Part of the texts whose labels are all right. */
  accuracy: number;
  /** Mean F1 of the labels, each counting once. */
  macroF1: number;
  /** F1 over all decisions together. */
  microF1: number;
  /** By label. */
  classes: ClassFigures[];
}

/** Of texts with numbers. */
export interface NumberFigures extends Noted {
  /** What this is about. */
  kind: "number";
  /** Texts. */
  count: number;
  /** Mean distance between prediction and truth. */
  meanAbsoluteError: number;
  /** Root of the mean of its square. */
  rootMeanSquaredError: number;
  /** Part of the variance that is explained; the mean of it where there are several numbers. */
  r2: number;
  /** Pearson's correlation of predictions and truth; the mean where there are several numbers. */
  pearson?: number;
  /** Spearman's, that of their ranks. */
  spearman?: number;
}

/** Any of them. */
export type ClassificationFigures = SingleLabelFigures | MultipleLabelFigures | NumberFigures;

const ratio = (part: number, whole: number): number => whole === 0 ? 0 : part / whole;

function figures(
  label: string,
  { hits, predicted, support }: { hits: number; predicted: number; support: number },
): ClassFigures {
  const f1 = ratio(2 * hits, predicted + support);
  return { label, precision: ratio(hits, predicted), recall: ratio(hits, support), f1, support };
}

const mean = (values: readonly number[]): number =>
  ratio(values.reduce((sum, value) => sum + value, 0), values.length);

const largest = (row: readonly number[]): number =>
  row.reduce((best, value, i) => value > row[best] ? i : best, 0);

/**
 * Figures of one class a text.
 *
 * @param truth class numbers
 * @param probabilities a row for each text
 */
export function singleLabelFigures(
  truth: readonly number[],
  probabilities: readonly (readonly number[])[],
  labels: readonly string[],
): SingleLabelFigures {
  const predicted = probabilities.map(largest);
  const confusion = labels.map(() => labels.map(() => 0));
  truth.forEach((row, i) => confusion[row][predicted[i]]++);
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  const classes = labels.map((label, k) =>
    figures(label, {
      hits: confusion[k][k],
      predicted: sum(confusion.map((row) => row[k])),
      support: sum(confusion[k]),
    })
  );
  const met = classes.filter(({ support }, k) => support > 0 || predicted.includes(k));
  return {
    kind: "single",
    count: truth.length,
    accuracy: ratio(sum(labels.map((_, k) => confusion[k][k])), truth.length),
    macroF1: mean(met.map(({ f1 }) => f1)),
    calibrationError: calibrationError(
      predicted.map((k, i) => probabilities[i][k]),
      predicted.map((k, i) => k === truth[i]),
    ),
    classes,
    confusion,
    ...notesOf(truth.length, [
      note(
        "no text is of class",
        classes.filter(({ support }) => support === 0),
        (one) => met.includes(one) ? "F1 counts as 0" : "left out of macro F1",
      ),
    ]),
  };
}

/** Says of which classes something holds, and what that means. */
function note(
  what: string,
  classes: readonly ClassFigures[],
  meaning: (one: ClassFigures) => string,
): string[] {
  return [...Map.groupBy(classes, meaning)].map(([means, some]) =>
    `${what} ${some.map(({ label }) => label).join(", ")}: recall is undefined, ${means}`
  );
}

/** The notes, if there are any. */
function notesOf(count: number, notes: readonly string[][]): Noted {
  const all = count === 0
    ? ["there is no text: all figures are undefined and count as 0"]
    : notes.flat();
  return all.length === 0 ? {} : { notes: all };
}

/**
 * Expected calibration error (Guo et al. 2017, arXiv:1706.04599, equation 3): confidences in `bins` of
 * equal width, open below; the mean over the texts of how far, in each bin, the part that is right is
 * from the mean confidence.
 */
export function calibrationError(
  confidences: readonly number[],
  right: readonly boolean[],
  bins = 15,
): number {
  checkOptions("Cannot measure calibration", { bins }, { bins: count });
  const gaps = new Array<number>(bins).fill(0);
  confidences.forEach((confidence, i) => {
    const bin = Math.min(Math.max(Math.ceil(confidence * bins) - 1, 0), bins - 1);
    gaps[bin] += (right[i] ? 1 : 0) - confidence;
  });
  return ratio(gaps.reduce((sum, gap) => sum + Math.abs(gap), 0), confidences.length);
}

/**
 * Figures of several labels a text; one of them counts as predicted from a probability of `threshold`
 * on.
 *
 * @param truth a row of 0 and 1 for each text
 * @param probabilities a row for each text
 */
export function multipleLabelFigures(
  truth: readonly (readonly number[])[],
  probabilities: readonly (readonly number[])[],
  labels: readonly string[],
  threshold = 0.5,
): MultipleLabelFigures {
  const all = { hits: 0, predicted: 0, support: 0 };
  const classes = labels.map((label, k) => {
    const own = { hits: 0, predicted: 0, support: 0 };
    truth.forEach((row, i) => {
      const found = probabilities[i][k] >= threshold;
      own.hits += found && row[k] === 1 ? 1 : 0;
      own.predicted += found ? 1 : 0;
      own.support += row[k];
    });
    all.hits += own.hits;
    all.predicted += own.predicted;
    all.support += own.support;
    return figures(label, own);
  });
  const whole = truth.filter((row, i) =>
    row.every((value, k) => (probabilities[i][k] >= threshold) === (value === 1))
  );
  return {
    kind: "multiple",
    count: truth.length,
    accuracy: ratio(whole.length, truth.length),
    macroF1: mean(classes.map(({ f1 }) => f1)),
    microF1: figures("", all).f1,
    classes,
    ...notesOf(truth.length, [
      note("no text has", classes.filter(({ support }) => support === 0), () => "F1 counts as 0"),
    ]),
  };
}

/** Figures of numbers; a row for each text. */
export function numberFigures(
  truth: readonly (readonly number[])[],
  predicted: readonly (readonly number[])[],
): NumberFigures {
  const errors = truth.flatMap((row, i) => row.map((value, k) => predicted[i][k] - value));
  const columns = (truth[0] ?? []).map((_, k) => {
    const values = truth.map((row) => row[k]);
    const middle = mean(values);
    const spread = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
    const left = truth.reduce((sum, row, i) => sum + (predicted[i][k] - row[k]) ** 2, 0);
    // Where all values are equal there is nothing to explain.
    return spread === 0 ? (left === 0 ? 1 : 0) : 1 - left / spread;
  });
  const correlations = (of: (values: number[]) => number[]): number | undefined => {
    const each = columns.map((_, k) =>
      correlation(of(truth.map((row) => row[k])), of(predicted.map((row) => row[k])))
    );
    return each.length === 0 || each.includes(undefined) ? undefined : mean(each as number[]);
  };
  const [pearson, spearman] = [correlations((values) => values), correlations(ranks)];
  return {
    kind: "number",
    count: truth.length,
    meanAbsoluteError: mean(errors.map(Math.abs)),
    rootMeanSquaredError: Math.sqrt(mean(errors.map((error) => error * error))),
    r2: mean(columns),
    ...pearson === undefined ? {} : { pearson },
    ...spearman === undefined ? {} : { spearman },
    ...notesOf(truth.length, [
      pearson === undefined ? ["all true or all predicted numbers are equal: no correlation"] : [],
    ]),
  };
}

/** Pearson's correlation; nothing if all numbers on one side are equal. */
function correlation(a: readonly number[], b: readonly number[]): number | undefined {
  const [da, db] = [a, b].map((values) => {
    const middle = mean(values);
    return values.map((value) => value - middle);
  });
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, i) => sum + value * y[i], 0);
  const equal = [a, b].some((values) => values.every((value) => value === values[0]));
  return equal ? undefined : dot(da, db) / Math.sqrt(dot(da, da) * dot(db, db));
}

/** Ranks of numbers, from 1; equal ones share the mean of theirs. */
function ranks(values: readonly number[]): number[] {
  const order = [...values.keys()].sort((a, b) => values[a] - values[b]);
  const found = new Array<number>(values.length);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) found[order[i]] = (from + 1 + to) / 2;
    from = to;
  }
  return found;
}

/**
 * Figures of whatever the labels mean.
 *
 * @param truth for one class, its number alone; else a row for each text
 * @param scores probabilities, or numbers, a row for each text
 */
export function measureLabels(
  truth: readonly (readonly number[])[],
  scores: readonly (readonly number[])[],
  { kind, labels }: { kind: ClassificationFigures["kind"]; labels: readonly string[] },
): ClassificationFigures {
  if (kind === "number") return numberFigures(truth, scores);
  if (kind === "multiple") return multipleLabelFigures(truth, scores, labels);
  return singleLabelFigures(truth.map(([target]) => target), scores, labels);
}

/** The confusion matrix, or what there is in place of one, as lines for a terminal. */
export function figuresText(found: ClassificationFigures): string {
  if (found.kind === "number") {
    const { meanAbsoluteError, r2, pearson, spearman } = found;
    return Object.entries({
      "Pearson": pearson,
      "Spearman": spearman,
      "mean absolute error": meanAbsoluteError,
      "R²": r2,
    }).flatMap(([name, value]) => value === undefined ? [] : [`${name} ${value.toFixed(4)}`]).join(
      ", ",
    );
  }
  const heads = ["precision", "recall", "F1", "texts"];
  const rows = found.classes.map(({ label, precision, recall, f1, support }, k) => [
    label,
    ...(found.kind === "single" ? found.confusion[k].map(String) : []),
    ...[precision, recall, f1].map((value) => value.toFixed(3)),
    String(support),
  ]);
  const predicted = found.kind === "single" ? found.classes.map(({ label }) => `→${label}`) : [];
  return table([["", ...predicted, ...heads], ...rows]);
}

/** Columns, the first to the left and all others to the right. */
function table(rows: string[][]): string {
  const short = rows.map((row) =>
    row.map((cell) => cell.length > 24 ? `${cell.slice(0, 23)}…` : cell)
  );
  const widths = short[0].map((_, k) => Math.max(...short.map((row) => row[k].length)));
  const line = (row: string[]): string =>
    row.map((cell, k) => k === 0 ? cell.padEnd(widths[k]) : cell.padStart(widths[k])).join("  ");
  return short.map((row) => line(row).trimEnd()).join("\n");
}
