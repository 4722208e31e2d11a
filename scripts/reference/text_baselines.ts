/**
 * What a labelled set gives away without a neural network: the most frequent class, and logistic
 * regression on TF-IDF, on the split that `finetune classify` makes of it.
 *
 * deno run --allow-read scripts/reference/text_baselines.ts DATA [FRACTION] [SEED]
 *
 * @module
 */
import { labelTargets } from "../../src/data/labels/labelled_batches.ts";
import { readLabelledTexts } from "../../src/data/labels/labelled_texts.ts";
import { stratifiedSplit } from "../../src/data/labels/stratified_split.ts";
import { figuresText, singleLabelFigures } from "../../src/data/labels/label_scores.ts";

/** Terms of a text by their number in the vocabulary, and how much each counts. */
interface SparseRow {
  terms: Uint32Array;
  values: Float64Array;
}

/** Words of two letters at least, in lower case, as scikit-learn's vectorizers take them. */
const words = (text: string): string[] =>
  text.toLowerCase().match(/(?<![\p{L}\p{N}_])[\p{L}\p{N}_]{2,}/gu) ?? [];

/**
 * TF-IDF with smoothed idf, ln((1 + n)/(1 + df)) + 1, and rows of length 1: the defaults of
 * scikit-learn's `TfidfVectorizer`. The vocabulary and the idf are those of `train`.
 */
export function tfidf(
  train: readonly string[],
): { columns: number; rowOf: (text: string) => SparseRow } {
  const numbers = new Map<string, number>();
  const frequency: number[] = [];
  for (const text of train) {
    for (const word of new Set(words(text))) {
      const number = numbers.get(word) ?? numbers.size;
      numbers.set(word, number);
      frequency[number] = (frequency[number] ?? 0) + 1;
    }
  }
  const idf = frequency.map((df) => Math.log((1 + train.length) / (1 + df)) + 1);
  const rowOf = (text: string): SparseRow => {
    const counts = new Map<number, number>();
    for (const word of words(text)) {
      const number = numbers.get(word);
      if (number !== undefined) counts.set(number, (counts.get(number) ?? 0) + 1);
    }
    const terms = Uint32Array.from(counts.keys());
    const values = Float64Array.from(terms, (term) => counts.get(term)! * idf[term]);
    const length = Math.hypot(...values) || 1;
    return { terms, values: values.map((value) => value / length) };
  };
  return { columns: numbers.size, rowOf };
}

/** A linear model: a row of weights a class, the intercept last. */
export type LinearModel = Float64Array[];

/** Class probabilities of a row. */
export function predict(model: LinearModel, { terms, values }: SparseRow): number[] {
  const scores = model.map((weights) => {
    let sum = weights[weights.length - 1];
    for (let i = 0; i < terms.length; i++) sum += weights[terms[i]] * values[i];
    return sum;
  });
  const top = Math.max(...scores);
  const parts = scores.map((score) => Math.exp(score - top));
  const sum = parts.reduce((all, part) => all + part, 0);
  return parts.map((part) => part / sum);
}

/**
 * Multinomial logistic regression: the minimum of Σ -ln p + ½‖W‖², intercepts not penalized. That is
 * scikit-learn's `LogisticRegression` with C = 1, of two classes with C = 2, as it keeps one row of
 * weights for both. Nesterov's gradient descent for convex functions, restarted where it goes uphill
 * (O'Donoghue & Candès 2015), until the gradient is small.
 */
export function logisticRegression(
  rows: readonly SparseRow[],
  targets: readonly number[],
  { columns, classes, tolerance = 1e-4, most = 5000 }: {
    columns: number;
    classes: number;
    tolerance?: number;
    most?: number;
  },
): LinearModel {
  const zeros = (): LinearModel =>
    Array.from({ length: classes }, () => new Float64Array(columns + 1));
  // Rows have length 1 and the intercept adds 1; the softmax's curvature is ½ at most.
  const step = 1 / (0.5 * 2 * rows.length + 1);
  let [at, ahead, momentum] = [zeros(), zeros(), 1];
  for (let iteration = 0; iteration < most; iteration++) {
    const gradient = zeros();
    rows.forEach((row, r) => {
      const p = predict(ahead, row);
      p[targets[r]] -= 1;
      for (let k = 0; k < classes; k++) {
        for (let i = 0; i < row.terms.length; i++) {
          gradient[k][row.terms[i]] += p[k] * row.values[i];
        }
        gradient[k][columns] += p[k];
      }
    });
    let [size, uphill] = [0, 0];
    const next = zeros();
    for (let k = 0; k < classes; k++) {
      for (let j = 0; j <= columns; j++) {
        const g = gradient[k][j] + (j < columns ? ahead[k][j] : 0);
        next[k][j] = ahead[k][j] - step * g;
        size = Math.max(size, Math.abs(g));
        uphill += g * (next[k][j] - at[k][j]);
      }
    }
    if (size < tolerance) return next;
    const wanted = uphill > 0 ? 1 : (1 + Math.sqrt(1 + 4 * momentum ** 2)) / 2;
    const share = uphill > 0 ? 0 : (momentum - 1) / wanted;
    ahead = next.map((row, k) => row.map((value, j) => value + share * (value - at[k][j])));
    [at, momentum] = [next, wanted];
  }
  return at;
}

if (import.meta.main) {
  const [source = "spam-assassin", fraction = "0.1", seed = "0"] = Deno.args;
  const { examples, labels, kind } = await readLabelledTexts(source);
  const split = stratifiedSplit(examples, { fraction: Number(fraction), seed: Number(seed) });
  const numbersOf = (side: typeof examples): number[] =>
    labelTargets(side.map((one) => one.labels), { names: labels, kind }).flat();
  const [train, truth] = [numbersOf(split.train), numbersOf(split.validation)];
  const counts = labels.map((_, k) => train.filter((target) => target === k).length);
  const most = counts.indexOf(Math.max(...counts));
  const report = (name: string, probabilities: number[][]): void => {
    const found = singleLabelFigures(truth, probabilities, labels);
    const { accuracy, macroF1, calibrationError } = found;
    console.log(
      `${name}: accuracy ${accuracy.toFixed(4)}, macro F1 ${macroF1.toFixed(4)}, ` +
        `calibration error ${calibrationError.toFixed(4)}\n${figuresText(found)}`,
    );
  };
  console.log(`${train.length} texts to learn from, ${truth.length} held out`);
  report(`always ${labels[most]}`, truth.map(() => labels.map((_, k) => k === most ? 1 : 0)));
  const { columns, rowOf } = tfidf(split.train.map(({ text }) => text));
  const rows = split.train.map(({ text }) => rowOf(text));
  const model = logisticRegression(rows, train, { columns, classes: labels.length });
  const held = split.validation.map(({ text }) => predict(model, rowOf(text)));
  report(`TF-IDF (${columns} words) and logistic regression`, held);
}
