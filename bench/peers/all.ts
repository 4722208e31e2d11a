/**
 * Ourselves beside jax-js, tfjs and ONNX Runtime Web: one process, one adapter, the same weights and
 * data, results checked equal, rounds that take turns.
 *
 *     deno run --no-lock --allow-read --allow-env --allow-write=bench/results bench/peers/all.ts
 *
 * `--only attention,generation` runs those tasks; `--peer jax` runs ourselves and whose name holds it;
 * `--problem 512` those problems whose sizes hold it; `--rounds 9` in place of each task's own number.
 * Writes `bench/results/peers_<adapter>.json`, and prints a table in Markdown; `--dry` does not write.
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
    const comparison = await compare(task, problem, {
      counter,
      only: values.peer,
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
  const folder = new URL("../results/", import.meta.url);
  const name = adapter.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "");
  const date = new Date().toISOString();
  const report = { adapter, software: isCpu, deno: Deno.version.deno, date, comparisons };
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(
    new URL(`peers_${name}.json`, folder),
    JSON.stringify(report, null, 2) + "\n",
  );
  console.log(`Wrote bench/results/peers_${name}.json`);
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
