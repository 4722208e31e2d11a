/** Several runs in one report: who has which line, and in what they differ. @module */

import assert from "node:assert/strict";
import { writeComparison } from "../../src/training/report.ts";
import {
  type ComparedRun,
  comparisonCharts,
  differences,
  MOST_RUNS,
} from "../../src/training/report_comparison.ts";

const fresh: ComparedRun = {
  name: "runs/fresh",
  config: { steps: 3, model: { layers: 2, heads: 1 } },
  records: [
    { step: 1, loss: 4 },
    { step: 2, loss: 3.5, validationLoss: 3.75, "validation/macroF1": 0.25 },
    { step: 3, loss: 3, validationLoss: 3.25, "validation/macroF1": 0.5 },
  ],
};
const tuned: ComparedRun = {
  name: "runs/<tuned>",
  config: { steps: 3, model: { layers: 2, heads: 4 }, from: "runs/bert" },
  records: [
    { step: 1, loss: 2 },
    { step: 3, loss: 1, validationLoss: "NaN", "validation/accuracy": 0.75 },
  ],
};

Deno.test("a figure is one chart, and a run that has it one line of its own style", () => {
  const charts = comparisonCharts([fresh, tuned]);
  const told = charts.map(({ title, curves }) => [
    title,
    ...curves.map(({ label, style, steps, values }) => [label, style, steps, values]),
  ]);
  assert.deepEqual(told, [
    [
      "Validation loss, in nats",
      ["runs/fresh", "run-1", [2, 3], [3.75, 3.25]],
      ["runs/<tuned>", "run-2", [3], [null]],
    ],
    [
      "Training loss, in nats",
      ["runs/fresh", "run-1", [1, 2, 3], [4, 3.5, 3]],
      ["runs/<tuned>", "run-2", [1, 3], [2, 1]],
    ],
    ["Macro F1", ["runs/fresh", "run-1", [2, 3], [0.25, 0.5]]],
    ["Accuracy", ["runs/<tuned>", "run-2", [3], [0.75]]],
  ]);
  assert.match(charts[0].notes.join(), /runs\/<tuned>: 1 of 1 values is not finite/);
});

Deno.test("only the settings in which runs differ are told", () => {
  assert.deepEqual(differences([fresh, tuned]), [
    ["model.heads", "1", "4"],
    ["from", "", "runs/bert"],
  ]);
  assert.deepEqual(differences([fresh, fresh, fresh]), []);
});

Deno.test("the page names runs as they are, and more of them than lines are refused", () => {
  const path = Deno.makeTempFileSync({ suffix: ".html" });
  try {
    writeComparison(path, [fresh, tuned]);
    const html = Deno.readTextFileSync(path);
    assert.ok(html.includes("<h1>runs/fresh and runs/&lt;tuned&gt;</h1>"));
    assert.ok(html.includes("<dt>best validation loss of runs/fresh</dt><dd>3.25</dd>"));
    assert.ok(!html.includes("<tuned>"));
    assert.throws(
      () => writeComparison(path, new Array(MOST_RUNS + 1).fill(fresh)),
      /Cannot compare 7 runs: a chart tells 6 lines apart at most/,
    );
  } finally {
    Deno.removeSync(path);
  }
});
