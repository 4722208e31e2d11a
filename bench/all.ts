/**
 * Every kernel, and a training step, in GFLOP/s and GB/s on this machine's adapter.
 *
 *     deno run --allow-read bench/all.ts
 *     deno run --allow-read --allow-write=bench/results bench/all.ts --json
 *
 * `--only NAME` runs the cases whose name holds it; `--runs N` takes the median of N runs; `--json`
 * also writes `bench/results/<adapter>.json`. Sizes are larger on a GPU: compare figures of one adapter
 * only.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { openDevice } from "../src/gpu/device.ts";
import { kernelCases } from "../src/profiling/cases/all.ts";
import { formatTable, measure, readBackFloor, type Result } from "./harness.ts";
import * as model from "./model_bench.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    runs: { type: "string", default: "5" },
  },
});
const device = await openDevice();
const floor = await readBackFloor(device);
console.log(`${device.description}; a read-back costs ${floor.toFixed(1)} ms, taken off below`);
const results: Result[] = [];
for (const benchCase of [...kernelCases(device), ...model.cases(device)]) {
  if (!benchCase.name.includes(values.only)) continue;
  results.push(await measure(device, benchCase, { runs: Number(values.runs), floor }));
}
console.log(formatTable(
  ["kernel", "shape", "ms", "GFLOP/s", "GB/s", "spread"],
  results.map((r) => [
    r.name,
    r.shape,
    r.milliseconds.toPrecision(3),
    r.gflops.toFixed(1),
    r.gigabytes.toFixed(1),
    `${(100 * r.spread).toFixed(0)} %`,
  ]),
));
if (values.json) {
  const adapter = device.description;
  const name = adapter.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "");
  const folder = new URL("results/", import.meta.url);
  Deno.mkdirSync(folder, { recursive: true });
  const report = { adapter, software: device.isCpu, deno: Deno.version.deno, floor, results };
  Deno.writeTextFileSync(new URL(`${name}.json`, folder), JSON.stringify(report, null, 2) + "\n");
  console.log(`Wrote bench/results/${name}.json`);
}
device.destroy();
