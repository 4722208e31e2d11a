/** The baseline that a classifier is held against: TF-IDF by hand, and a minimum that is one. @module */

import assert from "node:assert/strict";
import {
  type LinearModel,
  logisticRegression,
  predict,
  tfidf,
} from "../../scripts/reference/text_baselines.ts";

const TEXTS = ["The sun, the sun!", "rain and sun", "Rain; a puddle", "cold rain and rain"];
const CLASSES = [0, 0, 1, 1];

Deno.test("TF-IDF by hand: words of two letters, smoothed idf, rows of length 1", () => {
  const { columns, rowOf } = tfidf(TEXTS);
  assert.equal(columns, 6); // the sun rain and puddle cold
  const idf = (df: number) => Math.log(5 / (1 + df)) + 1;
  const raw = [2 * idf(1), 2 * idf(2)];
  const { terms, values } = rowOf(TEXTS[0]);
  assert.deepEqual([...terms], [0, 1]);
  values.forEach((value, i) => {
    assert.ok(Math.abs(value - raw[i] / Math.hypot(...raw)) < 1e-12);
  });
  assert.equal(rowOf("nothing known").terms.length, 0);
});

Deno.test("logistic regression ends at the minimum of its loss", () => {
  const { columns, rowOf } = tfidf(TEXTS);
  const rows = TEXTS.map(rowOf);
  const lossOf = (model: LinearModel): number => {
    const data = rows.reduce((sum, row, i) => sum - Math.log(predict(model, row)[CLASSES[i]]), 0);
    const weights = model.flatMap((row) => [...row.subarray(0, columns)]);
    return data + weights.reduce((sum, weight) => sum + weight ** 2 / 2, 0);
  };
  const options = { columns, classes: 2, tolerance: 1e-9 };
  const model = logisticRegression(rows, CLASSES, options);
  // The slope of the loss, by central differences, is nothing in every direction.
  for (const row of model) {
    for (let j = 0; j <= columns; j++) {
      const [kept, h] = [row[j], 1e-4];
      row[j] = kept + h;
      const above = lossOf(model);
      row[j] = kept - h;
      const slope = (above - lossOf(model)) / (2 * h);
      row[j] = kept;
      assert.ok(Math.abs(slope) < 1e-7, `${slope}`);
    }
  }
  assert.deepEqual(rows.map((row) => predict(model, row)[1] > 0.5 ? 1 : 0), CLASSES);
});
