import assert from "node:assert/strict";
import { learningRateAt, type ScheduleOptions } from "../../src/training/schedule.ts";

const options: ScheduleOptions = {
  peak: 6e-4,
  minimum: 6e-5,
  warmupSteps: 29,
  totalSteps: 197,
  kind: "cosine",
};
const near = (found: number, wanted: number): void =>
  assert.ok(Math.abs(found - wanted) <= 1e-12 * wanted, `${found} is not ${wanted}`);

Deno.test("the warm-up rises in equal steps and ends below the peak", () => {
  for (const kind of ["cosine", "linear", "constant"] as const) {
    near(learningRateAt(0, { ...options, kind }), 6e-4 / 30);
    near(learningRateAt(28, { ...options, kind }), 6e-4 * 29 / 30);
    assert.equal(learningRateAt(29, { ...options, kind }), 6e-4);
  }
});

Deno.test("the decay passes its middle half-way down and ends one step after the last", () => {
  near(learningRateAt(113, options), 3.3e-4);
  near(learningRateAt(71, options), 6e-5 + 5.4e-4 * (1 + Math.SQRT1_2) / 2);
  near(learningRateAt(71, { ...options, kind: "linear" }), 6e-4 - 5.4e-4 / 4);
  near(learningRateAt(196, { ...options, kind: "linear" }), 6e-5 + 5.4e-4 / 168);
  for (const kind of ["cosine", "linear"] as const) {
    assert.ok(learningRateAt(196, { ...options, kind, minimum: 0 }) > 0);
    for (const step of [197, 5000]) assert.equal(learningRateAt(step, { ...options, kind }), 6e-5);
    for (let step = 29; step < 197; step++) {
      const [now, next] = [step, step + 1].map((s) => learningRateAt(s, { ...options, kind }));
      assert.ok(next < now, `${kind} does not fall after step ${step}`);
    }
  }
  assert.equal(learningRateAt(5000, { ...options, kind: "constant", minimum: NaN }), 6e-4);
});

Deno.test("no warm-up, no steps and a warm-up longer than the run", () => {
  assert.equal(learningRateAt(0, { ...options, warmupSteps: 0 }), 6e-4);
  assert.equal(learningRateAt(0, { ...options, warmupSteps: 0, totalSteps: 0 }), 6e-5);
  const long = { ...options, warmupSteps: 300 };
  near(learningRateAt(196, long), 6e-4 * 197 / 301);
  assert.equal(learningRateAt(300, long), 6e-5);
});

Deno.test("what makes no schedule is named", () => {
  const at = (step: number, change: Partial<ScheduleOptions>) => () =>
    learningRateAt(step, { ...options, ...change });
  assert.throws(at(-1, {}), /VitrailError: .*step is -1, wanted a whole number/);
  assert.throws(at(0, { warmupSteps: 2.5 }), /warmupSteps is 2.5/);
  assert.throws(at(0, { peak: NaN }), /peak is NaN/);
  assert.throws(at(0, { minimum: 1 }), /minimum is 1, wanted a number from 0 to the peak, 0.0006/);
  assert.throws(at(0, { kind: "step" as "linear" }), /kind is "step", wanted cosine/);
});
