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

Deno.test("correlations equal scipy's, ties included; equal numbers have none, and a note says so", () => {
  const truth = [0, 1.5, 1.5, 5, 3.8, 2, 0, 4.4].map((x) => [x]);
  const predicted = [0.3, 1.1, 2.9, 4.1, 4.1, 1.9, -0.2, 3].map((x) => [x]);
  const found = numberFigures(truth, predicted);
  near(found.pearson!, 0.8994108904150863);
  near(found.spearman!, 0.9091076054353293);
  near(found.r2, 0.8022784321297547);
  assert.equal(found.notes, undefined);
  assert.match(figuresText(found), /^Pearson 0\.8994, Spearman 0\.9091, mean .*, R² 0\.8023$/);
  for (
    const constant of [numberFigures(truth, truth.map(() => [1])), numberFigures([[1]], [[2]])]
  ) {
    assert.ok(!("pearson" in constant) && !("spearman" in constant));
    assert.deepEqual(constant.notes, [
      "all true or all predicted numbers are equal: no correlation",
    ]);
  }
});

Deno.test("a class without a text is out of macro F1 unless it was predicted, as in scikit-learn", () => {
  const figuresOf = (predicted: number[]) =>
    singleLabelFigures(
      [0, 0, 2, 2, 2, 0],
      predicted.map((k) => [0, 1, 2].map((i) => i === k ? 1 : 0)),
      ["a", "b", "c"],
    );
  const absent = figuresOf([0, 2, 2, 2, 0, 0]);
  near(absent.macroF1, 2 / 3);
  assert.deepEqual(absent.notes, [
    "no text is of class b: recall is undefined, left out of macro F1",
  ]);
  const predicted = figuresOf([0, 2, 1, 2, 0, 0]);
  near(predicted.macroF1, 0.35555555555555557);
  assert.deepEqual(predicted.notes, ["no text is of class b: recall is undefined, F1 counts as 0"]);
});

Deno.test("several labels: one that no text has counts as 0; no text at all gives no NaN", () => {
  const found = multipleLabelFigures([[1, 0, 0], [1, 0, 1]], [[1, 0, 0], [0, 0, 1]], [
    "a",
    "b",
    "c",
  ]);
  near(found.macroF1, 5 / 9);
  assert.deepEqual(found.notes, ["no text has b: recall is undefined, F1 counts as 0"]);
  for (const kind of ["single", "multiple", "number"] as const) {
    const { notes, ...numbers } = measureLabels([], [], { kind, labels: ["a", "b"] });
    assert.deepEqual(notes, ["there is no text: all figures are undefined and count as 0"]);
    assert.ok(!JSON.stringify(numbers).includes("null"), kind);
  }
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
