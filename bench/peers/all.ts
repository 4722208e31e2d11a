/**
 * Ourselves beside jax-js, tfjs and ONNX Runtime Web: one process, one adapter, the same weights and
 * data, results checked equal, rounds that take turns.
 *
 *     deno run --no-lock --allow-read --allow-env --allow-write=bench/results bench/peers/all.ts
 *
 * `--only attention,generation` runs those tasks; `--peer jax` runs ourselves and whose name holds it;
 * `--problem 512` those problems whose sizes hold it; `--rounds 9` in place of each task's own number;
 * `--seconds 300` for as many rounds of a problem as fit that time; `--calls 16` for rounds of so many
 * calls, such as fewer tokens on a slow machine. Prints a table in Markdown, and
 * writes what was run into `bench/results/peers_<adapter>.json`; `--dry` does not write.
 * `--no-lock` keeps the peers out of the project's lock file. Exit code 1 if a result is wrong, or if
 * the libraries were not all given the same adapter.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { attention } from "./attention/task.ts";
import { compare, type Comparison } from "./compare.ts";
import { countWork } from "./count_work.ts";
import { generation } from "./generation/task.ts";
import { layerNorm } from "./layer_norm/task.ts";
import { keep } from "./kept_results.ts";
import { ourDevice } from "./libraries/vitrail.ts";
import { matmul } from "./matmul/task.ts";
import { comparisonTable, markdownTable } from "./report.ts";
import type { Task } from "./task.ts";
import { trainingStep } from "./training_step/task.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    peer: { type: "string", default: "" },
    problem: { type: "string", default: "" },
    rounds: { type: "string" },
    seconds: { type: "string", default: "60" },
    calls: { type: "string" },
    dry: { type: "boolean", default: false },
  },
});

const counter = countWork();
const comparisons: Comparison[] = [];

/** Runs a task's problems one after the other. */
async function run<P>(task: Task<P>): Promise<void> {
  if (!values.only.split(",").some((name) => task.name.includes(name))) return;
  for (const problem of await task.problems()) {
    if (!problem.label.includes(values.problem)) continue;
    const calls = values.calls ? Number(values.calls) : problem.calls;
    const comparison = await compare(task, { ...problem, calls }, {
      counter,
      only: values.peer,
      seconds: Number(values.seconds),
      rounds: values.rounds ? Number(values.rounds) : undefined,
    });
    comparisons.push(comparison);
    console.log(`\n${comparisonTable(comparison)}`);
  }
}

const begun = performance.now();
const { description: adapter, isCpu } = await ourDevice();
console.log(`${adapter}, Deno ${Deno.version.deno}`);
await run(matmul);
await run(attention);
await run(layerNorm);
await run(trainingStep);
await run(generation);
console.log(`\n${markdownTable(comparisons)}`);
console.log(`\n${((performance.now() - begun) / 60_000).toFixed(1)} minutes`);

if (!values.dry) {
  const path = keep(comparisons, { adapter, software: isCpu });
  console.log(`Wrote ${path}`);
}
const wrong = comparisons.filter(({ equal }) => !equal);
if (wrong.length > 0) {
  console.error(`Wrong results: ${wrong.map(({ task, label }) => `${task} ${label}`).join("; ")}`);
  Deno.exitCode = 1;
}
if (counter.adapters.size !== 1) {
  console.error(`Not one adapter but several: ${[...counter.adapters].join("; ")}`);
  Deno.exitCode = 1;
}
// Libraries that keep a device or a worker open would keep the process waiting.
Deno.exit();
