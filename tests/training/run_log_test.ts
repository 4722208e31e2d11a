/** What a run leaves besides its weights, across a resume. @module */

import assert from "node:assert/strict";
import { readMetrics } from "../../src/training/metrics.ts";
import { RunLog } from "../../src/training/run_log.ts";
import { scalarsOf } from "./event_file.ts";

const OPTIONS = { title: "A run", config: { steps: 12 }, tokensPerStep: 87 };

/** Steps in pairs of a quarter of a second, an evaluation and a sample after every fourth. */
function run(directory: string, from: number, to: number): RunLog {
  const log = new RunLog(directory, OPTIONS);
  log.begin(from);
  for (let step = from + 1; step <= to; step += 2) {
    const figures = [step, step + 1].map((s) => ({
      step: s,
      loss: 10 / s,
      learningRate: 1e-3 / s,
      gradientNorm: 1 / (s + 1),
    }));
    log.steps(figures, 0.25);
    if ((step + 1) % 4 !== 0) continue;
    log.evaluation(step + 1, 11 / (step + 1));
    log.sample(step + 1, `after ${step + 1}\n<b>`);
    log.sync();
  }
  return log;
}

Deno.test("a resumed log holds every step once, and its report the whole run", () => {
  const root = Deno.makeTempDirSync();
  try {
    const [whole, resumed] = ["whole", "resumed"].map((name) => `${root}/${name}`);
    for (const directory of [whole, resumed]) Deno.mkdirSync(directory);
    run(whole, 0, 12).close();
    run(resumed, 0, 10).close();
    using log = run(resumed, 8, 12);
    for (const name of ["metrics.jsonl", "samples.jsonl"]) {
      const [a, b] = [whole, resumed].map((d) => Deno.readTextFileSync(`${d}/${name}`));
      assert.equal(b, a);
    }
    assert.deepEqual(scalarsOf(resumed), scalarsOf(whole));
    // Twelve steps in six pairs of 0.25 s, whoever took them.
    const speeds = readMetrics(`${resumed}/speed.jsonl`);
    assert.deepEqual(speeds.map((r) => r.step), [2, 4, 6, 8, 10, 12]);
    assert.ok(speeds.every((r) => r.tokensPerSecond === 2 * 87 / 0.25));
    assert.equal(log.tokensPerSecond, 2 * 87 / 0.25);
    log.report({ status: "finished" }, { notice: "all is well" });
    const html = Deno.readTextFileSync(`${resumed}/report.html`);
    const charts = JSON.parse(
      html.match(/<script type="application\/json"[^>]*>(.*?)<\/script>/)![1],
    );
    const steps = Array.from({ length: 12 }, (_, i) => i + 1);
    assert.deepEqual(charts[0].curves[0].steps, steps);
    assert.deepEqual(charts[0].curves[1].values, [11 / 4, 11 / 8, 11 / 12]);
    assert.deepEqual(charts.map((c: { title: string }) => c.title), [
      "Loss, in nats",
      "Learning rate",
      "Gradient norm",
      "Tokens per second",
    ]);
    // Samples of the first process, too.
    for (const step of [4, 8, 12]) assert.ok(html.includes(`after ${step}\n&lt;b&gt;`));
    assert.match(html, /class="notice">all is well/);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});

Deno.test("a fresh run in the place of an older one leaves nothing of it", () => {
  const directory = Deno.makeTempDirSync();
  try {
    run(directory, 0, 12).close();
    run(directory, 0, 4).close();
    assert.deepEqual(readMetrics(`${directory}/samples.jsonl`).map((r) => r.step), [4]);
    assert.deepEqual(readMetrics(`${directory}/metrics.jsonl`).map((r) => r.step), [1, 2, 3, 4, 4]);
    assert.equal(Math.max(...scalarsOf(directory).map(({ step }) => step)), 4);
    assert.equal(scalarsOf(directory).filter(({ tag }) => tag === "loss/train").length, 4);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
