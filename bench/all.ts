/**
 * Everything that is to be known of an adapter in one call: whether the kernels are right on it, what
 * each of them reaches, a training step, and generation, beside the roof that is measured there.
 *
 *     deno run --allow-read bench/all.ts
 *     deno run --allow-read --allow-run --allow-write=bench/results bench/all.ts --check --json
 *
 * `--check` first runs the tests of kernels and models on this adapter; `--only NAME` measures the cases
 * whose name holds it; `--runs N` takes the median of N runs; `--json` also writes
 * `bench/results/<adapter>.json`. Sizes are larger on a GPU: compare figures of one adapter only.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { openDevice } from "../src/gpu/device.ts";
import { kernelCases } from "../src/profiling/cases/all.ts";
import { measureRoof } from "../src/profiling/roof.ts";
import { measureGeneration } from "./generation_bench.ts";
import { formatTable, measure, readBackFloor, type Result } from "./harness.ts";
import * as model from "./model_bench.ts";

const { values } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    runs: { type: "string", default: "5" },
  },
});
const runs = Number(values.runs);

/** Runs the tests that touch the adapter; the line with their count. */
async function check(): Promise<string> {
  const { stdout } = await new Deno.Command("deno", {
    args: ["task", "test", "tests/gpu", "tests/kernels", "tests/autograd", "tests/models"],
    stderr: "inherit",
  }).output();
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  for (const line of lines) if (line.includes("FAILED")) console.log(line);
  return lines.at(-1)!;
}

const checked = values.check ? await check() : undefined;
if (checked) console.log(`tests on this adapter: ${checked}`);
const device = await openDevice();
const floor = await readBackFloor(device);
const roof = await measureRoof(device);
console.log(
  `${device.description}; a read-back costs ${floor.toFixed(1)} ms, taken off below; the roof is ` +
    `${roof.gflops.toFixed(0)} GFLOP/s and ${roof.gigabytes.toFixed(1)} GB/s`,
);
const results: Result[] = [];
for (const benchCase of [...kernelCases(device), ...model.cases(device)]) {
  if (!benchCase.name.includes(values.only)) continue;
  results.push(await measure(device, benchCase, { runs, floor, roof }));
}
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
console.log(formatTable(
  ["kernel", "shape", "ms", "GFLOP/s", "GB/s", "of the roof", "spread"],
  results.map((r) => [
    r.name,
    r.shape,
    r.milliseconds.toPrecision(3),
    r.gflops.toFixed(1),
    r.gigabytes.toFixed(1),
    percent(r.roofShare),
    percent(r.spread),
  ]),
));
const generation = "generation".includes(values.only)
  ? await measureGeneration(device, { roof, runs })
  : undefined;
if (generation) {
  const { shape, tokensPerSecond, roofShare } = generation;
  console.log(
    `generation, ${shape}: ${tokensPerSecond.toFixed(0)} tokens/s, ${
      percent(roofShare)
    } of the roof`,
  );
}
if (values.json) {
  const adapter = device.description;
  const name = adapter.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "");
  const folder = new URL("results/", import.meta.url);
  Deno.mkdirSync(folder, { recursive: true });
  const report = {
    adapter,
    software: device.isCpu,
    deno: Deno.version.deno,
    tests: checked,
    floor,
    roof,
    results,
    generation,
  };
  Deno.writeTextFileSync(new URL(`${name}.json`, folder), JSON.stringify(report, null, 2) + "\n");
  console.log(`Wrote bench/results/${name}.json`);
}
device.destroy();
if (checked && !/ 0 failed/.test(checked)) Deno.exitCode = 1;
