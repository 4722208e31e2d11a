import assert from "node:assert/strict";
import type { Activation } from "../../src/probes/activation_cache.ts";
import {
  grouped,
  klDivergence,
  logit,
  logitDifference,
  logProbability,
  meanLoss,
  type Metric,
  probability,
  spanScore,
} from "../../src/probes/metrics.ts";
import { VitrailError } from "../../mod.ts";

const shape = [3, 5, 7];
const some = (seed: number): Activation => ({
  data: Float32Array.from({ length: 105 }, (_, i) => 2 * Math.sin(i * 0.7 + seed)),
  shape,
});
const at = [0, -1, 2];
const metrics: Record<string, Metric> = {
  logit: logit(3, { at }),
  logitDifference: logitDifference({ right: [1, 2, 3], wrong: 6 }, { at }),
  logProbability: logProbability([0, 6, 3], { at }),
  probability: probability([0, 6, 3], { at }),
  klDivergence: klDivergence(some(5), { at }),
  spanScore: spanScore([0, 3, 2], [1, 4, 2]),
  meanLoss: meanLoss([0, -100, 3, 6, -100, ...[-100, -100, 2, -100, -100], ...[1, 2, 3, 4, 5]]),
  grouped: grouped(logProbability([4], { at: [-2] }), 1),
};

for (const [name, metric] of Object.entries(metrics)) {
  Deno.test(`${name}: its gradient is its slope, for each sequence its own`, () => {
    const logits = some(1);
    const gradient = metric.gradient(logits);
    for (let i = 0; i < logits.data.length; i++) {
      const moved = (by: number) => {
        const data = logits.data.slice();
        data[i] += by;
        return metric.values({ data, shape });
      };
      const [up, down] = [moved(1 / 64), moved(-1 / 64)];
      up.forEach((value, b) => {
        const want = Math.floor(i / 35) === b ? gradient[i] : 0;
        assert.ok(Math.abs((value - down[b]) * 32 - want) < 2e-4, `${i}, sequence ${b}`);
      });
    }
    assert.ok(gradient.some((d) => Math.abs(d) > 0.01));
  });
}

Deno.test("known values: uniform logits, and a distribution against itself", () => {
  const uniform = { data: new Float32Array(105), shape };
  for (const value of metrics.probability.values(uniform)) {
    assert.ok(Math.abs(value - 1 / 7) < 1e-15);
  }
  for (const value of metrics.logProbability.values(uniform)) {
    assert.ok(Math.abs(value + Math.log(7)) < 1e-15);
  }
  for (const value of metrics.meanLoss.values(uniform)) {
    assert.ok(Math.abs(value - Math.log(7)) < 1e-15);
  }
  assert.deepEqual(klDivergence(some(2), { at }).values(some(2)), [0, 0, 0]);
  assert.deepEqual(
    logit(1, { at: 1 }).values({ data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] }),
    [2, 4],
  );
});

Deno.test("places and answers that do not exist are errors", () => {
  assert.throws(
    () => logit(1, { at: 5 }).values(some(1)),
    new VitrailError("Cannot judge place 5 of sequence 0: it has places 0 to 4"),
  );
  assert.throws(
    () => logit(7).values(some(1)),
    new VitrailError("Cannot judge sequence 0 by answer 7: the logits have answers 0 to 6"),
  );
});

Deno.test("a batch of several groups is judged group by group", () => {
  const metric = logitDifference({ right: [1, 2, 3], wrong: 6 }, { at });
  const [one, two] = [some(1), some(2)];
  const both = { data: Float32Array.of(...one.data, ...two.data), shape: [6, 5, 7] };
  const together = grouped(metric, 3);
  assert.deepEqual(together.values(both), [...metric.values(one), ...metric.values(two)]);
  assert.deepEqual(
    together.gradient(both),
    Float32Array.of(...metric.gradient(one), ...metric.gradient(two)),
  );
});
