/**
 * Proves what the tuner promises, on the calls of training, fine-tuning and generation: its choices are
 * never slower than the shipped table by more than 5 %, a quarter of them are faster by as much at least,
 * and a second start measures nothing.
 *
 *     deno run --allow-read --allow-write --allow-env=VITRAIL_CACHE scripts/proofs/tuning.ts
 *
 * The choices are measured again for this, on operands of their own, in turns with the shipped variants;
 * the lower quartile of 200 turns counts, to which what else the machine does has added the least.
 * `--seconds N` bounds the tuning. The folder for the winners is a fresh one.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { openDevice } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import type { NotedCall } from "../../src/gpu/variants.ts";
import { machineOf, TuningCache } from "../../src/tuning/cache.ts";
import { takeTurns, typical } from "../../src/tuning/compare.ts";
import { tune } from "../../src/tuning/tune.ts";
import { formatTable } from "../../bench/harness.ts";
import { callsOf } from "./tuning_calls.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "300" } } });
/** Rounds of the measurement that judges. */
const ROUNDS = 200;
const BOUND = 0.05;

const device = await openDevice();
const calls = callsOf(device);
const folder = Deno.makeTempDirSync();
try {
  const rehearse = () =>
    calls.forEach(([, call]) => {
      using _operands = device.scope();
      call();
    });
  const start = () =>
    tune(device, rehearse, {
      cache: new TuningCache(folder, machineOf(device), console.error),
      seconds: Number(values.seconds),
      onWarning: console.error,
    });
  const begun = performance.now();
  const first = await start();
  const took = (performance.now() - begun) / 1000;
  const second = await start();
  const { chosen } = device.variants;
  const rows: string[][] = [];
  const found: number[] = [];
  for (const [name, call] of calls) {
    using _operands = device.scope();
    for (const noted of await device.variants.note(call)) {
      const { key, shipped } = noted;
      const winner = chosen[key] ?? shipped;
      const ratio = winner === shipped ? 1 : await judge(noted, winner);
      found.push(ratio);
      rows.push([name, key, shipped, winner, ratio.toFixed(2)]);
    }
  }
  console.log(device.description);
  console.log(formatTable(["call", "class", "shipped", "tuned", "time"], rows));
  const slower = found.filter((ratio) => ratio > 1 + BOUND).length;
  const faster = found.filter((ratio) => ratio < 1 - BOUND).length;
  console.log(
    `${first} classes measured in ${took.toFixed(1)} s, ${second} at the second start; of ` +
      `${found.length} calls, ${faster} are faster by more than 5 %, ${slower} slower`,
  );
  if (second > 0 || slower > 0 || faster < found.length / 4) Deno.exitCode = 1;
} finally {
  Deno.removeSync(folder, { recursive: true });
  device.destroy();
}

/** The tuned variant's time as a share of the shipped one's. */
async function judge({ shipped, call }: NotedCall, winner: string): Promise<number> {
  using _operands = device.scope();
  const trial = call.prepare(device, numbers);
  for (const variant of [shipped, winner]) trial.run(variant);
  await device.finish();
  const times = await takeTurns(device, trial, [shipped, winner], ROUNDS);
  return typical(times[winner]) / typical(times[shipped]);
}

function numbers(shape: readonly number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return device.upload(Float32Array.from({ length: size }, (_, i) => Math.sin(i)), shape);
}
