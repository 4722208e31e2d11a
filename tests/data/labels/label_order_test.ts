/** Labels in the order that Python sorts them in, or in a model's own. @module */

import assert from "node:assert/strict";
import { areFractions, labelOfModel, orderLabels } from "../../../src/data/labels/label_order.ts";

Deno.test("numbers are in the order of their values, all else as Python's sorted has it", () => {
  const cases: [string, string][] = [
    ["0 1 10 11 2", "0 1 2 10 11"],
    ["2 -1 0 1 -10", "-10 -1 0 1 2"],
    ["10 02 1 01", "01 1 02 10"],
    ["10.0 2.0 0.5 1e1", "0.5 2.0 10.0 1e1"],
    ["12345678901234567891 9", "9 12345678901234567891"],
    ["10 2 neutral", "10 2 neutral"],
    ["true false", "false true"],
    ["b B a é z", "B a b z é"],
    // By UTF-16 units an emoji would come before the ligature.
    ["😀 ﬁ ab a", "a ab ﬁ 😀"],
  ];
  for (const [given, wanted] of cases) {
    assert.deepEqual(orderLabels(given.split(" ")), wanted.split(" "));
    assert.deepEqual(orderLabels(given.split(" ").toReversed()), wanted.split(" "));
  }
});

Deno.test("a label of a million digits is looked at as fast as any other", () => {
  // A pattern that tries each digit in two places would take an hour.
  assert.deepEqual(orderLabels(["2", "1".repeat(1e6) + "x"]).length, 2);
});

Deno.test("the labels of a model keep its order, where they are the same ones", () => {
  const own = ["neutral", "contradiction", "entailment"];
  assert.deepEqual(orderLabels(["contradiction", "entailment", "neutral"], own), own);
  assert.deepEqual(orderLabels(["b", "a"], own), ["a", "b"]);
  assert.deepEqual(orderLabels(["0", "1", "10", "2"], ["0", "1", "10", "2"]), [
    "0",
    "1",
    "10",
    "2",
  ]);
});

Deno.test("an id stands for the label of a model whose labels are no numbers", () => {
  const own = ["negative", "positive"];
  assert.equal(labelOfModel("1", own), "positive");
  assert.equal(labelOfModel("positive", own), "positive");
  for (const wrong of ["2", "-1", "1.0", " 1", "Positive"]) {
    assert.equal(labelOfModel(wrong, own), undefined, wrong);
  }
  assert.equal(labelOfModel("1", ["LABEL_0", "LABEL_1"]), "LABEL_1");
  assert.equal(labelOfModel("1", ["2", "3"]), undefined, "the model has numbers of its own");
});

Deno.test("numbers of which some are no integers are told from classes", () => {
  assert.ok(areFractions(["0.0", "3.8", "5"]));
  assert.ok(!areFractions(["0", "1.0", "2"]));
  assert.ok(!areFractions(["0.5", "high"]));
  assert.ok(!areFractions([]));
});
