/** Figures of classification beside numpy's, and by hand where nothing is there to divide by. @module */

import assert from "node:assert/strict";
import {
  calibrationError,
  figuresText,
  measureLabels,
  multipleLabelFigures,
  numberFigures,
  singleLabelFigures,
} from "../../../src/data/labels/label_scores.ts";

const fixture = JSON.parse(
  Deno.readTextFileSync(new URL("../../fixtures/gpt2_classifier/figures.json", import.meta.url)),
);
const near = (found: number, wanted: number) =>
  assert.ok(Math.abs(found - wanted) < 1e-12, `${found}, wanted ${wanted}`);

Deno.test("one class a text: accuracy, F1, confusion and calibration equal numpy's", () => {
  const { truth, probabilities, ...wanted } = fixture.single;
  const found = singleLabelFigures(truth, probabilities, ["a", "b", "c", "d"]);
  assert.deepEqual(found.confusion, wanted.confusion);
  near(found.accuracy, wanted.accuracy);
  near(found.macroF1, wanted.macroF1);
  near(found.calibrationError, wanted.calibrationError);
  for (const key of ["precision", "recall", "f1"] as const) {
    found.classes.forEach((one, k) => near(one[key], wanted[key][k]));
  }
  // The fourth is never predicted: nothing to divide by, and no NaN.
  assert.equal(found.classes[3].precision, 0);
  assert.ok(found.classes[3].support > 0);
});

Deno.test("several labels a text, and numbers, equal numpy's", () => {
  const { truth, probabilities, ...wanted } = fixture.multiple;
  const found = multipleLabelFigures(truth, probabilities, ["a", "b", "c", "d"]);
  near(found.accuracy, wanted.accuracy);
  near(found.macroF1, wanted.macroF1);
  near(found.microF1, wanted.microF1);
  const numbers = numberFigures(fixture.number.truth, fixture.number.predicted);
  near(numbers.meanAbsoluteError, fixture.number.meanAbsoluteError);
  near(numbers.rootMeanSquaredError, fixture.number.rootMeanSquaredError);
  near(numbers.r2, fixture.number.r2);
});

Deno.test("calibration by hand: bins are open below, the last holds 1", () => {
  // Two bins: 0.5 belongs to the first. (|0 - 0.5| + |2 - 1.75|)/3
  near(calibrationError([0.5, 0.75, 1], [false, true, true], 2), 0.75 / 3);
  assert.equal(calibrationError([], []), 0);
});

Deno.test("the confusion matrix as a table", () => {
  const found = measureLabels([[0], [0], [1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], {
    kind: "single",
    labels: ["ham", "spam"],
  });
  assert.equal(
    figuresText(found),
    "      →ham  →spam  precision  recall     F1  texts\n" +
      "ham      1      1      1.000   0.500  0.667      2\n" +
      "spam     0      1      0.500   1.000  0.667      1",
  );
});
