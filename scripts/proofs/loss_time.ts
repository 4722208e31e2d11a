/**
 * Proof: the head's loss in one, which holds logits once or in chunks, takes no longer than a linear layer
 * and a cross-entropy that hold them twice; both with their backward passes, in turn in one process.
 *
 *     deno run --allow-read scripts/proofs/loss_time.ts
 *
 * Exit code 1 if it holds more than 0.55 of their memory.
 *
 * @module
 */
import { crossEntropy } from "../../src/autograd/ops/cross_entropy.ts";
import { linear } from "../../src/autograd/ops/linear.ts";
import { linearCrossEntropy } from "../../src/autograd/ops/linear_cross_entropy.ts";
import { Parameter } from "../../src/autograd/parameter.ts";
import { Run } from "../../src/autograd/run.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { formatTable, median, seededNumbers } from "../../bench/harness.ts";

/** B·T, C, V; then bytes of logits at once, where not the usual ones. */
const CASES: [rows: number, channels: number, vocabulary: number, megabytes?: number][] = [
  [768, 128, 256],
  [1536, 128, 1024],
  [768, 64, 32000, 8],
  [768, 64, 32000, 16],
  [768, 64, 32000],
  [768, 64, 32000, 64],
];
const ROUNDS = 5;

const device = await openDevice();
const rows: string[][] = [];
for (const [count, channels, vocabulary, megabytes = 32] of CASES) {
  using _scope = device.scope();
  const parameter = (name: string, shape: number[], seed: number): Parameter => {
    const size = shape[0] * shape[1];
    return new Parameter(name, device.upload(seededNumbers(size, seed), shape));
  };
  const x = parameter("x", [count, channels], 1);
  const weight = parameter("weight", [vocabulary, channels], 2);
  const ids = Int32Array.from({ length: count }, (_, i) => i * 31 % vocabulary);
  const targets = device.upload(ids);
  const ways = {
    apart: (run: Run) =>
      crossEntropy(run, linear(run, x, { weight, transposed: true }), { targets }),
    one: (run: Run) =>
      linearCrossEntropy(run, x, { weight, targets, logitBytes: megabytes * 2 ** 20 }),
  };
  const repeat = Math.max(1, Math.round(1e9 / (6 * count * channels * vocabulary)));
  const found = Object.entries(ways).map(([name, loss]) => ({
    name,
    loss,
    times: [] as number[],
    peak: 0,
  }));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const way of found) {
      await device.finish();
      device.pool.trim();
      device.pool.resetPeak();
      const before = device.pool.memory.liveBytes;
      const begun = performance.now();
      for (let i = 0; i < repeat; i++) {
        using _step = device.scope();
        const run = new Run(device, { record: true });
        run.tape!.backward(way.loss(run).result);
      }
      await device.finish();
      if (round > 0) way.times.push((performance.now() - begun) / repeat);
      way.peak = device.pool.memory.peakBytes - before;
    }
  }
  const [apart, one] = found;
  if (one.peak > 0.55 * apart.peak) Deno.exitCode = 1;
  rows.push([
    `${count}`,
    `${channels}`,
    `${vocabulary}`,
    `${megabytes}`,
    median(apart.times).toFixed(2),
    median(one.times).toFixed(2),
    (median(one.times) / median(apart.times)).toFixed(3),
    (apart.peak / 1e6).toFixed(1),
    (one.peak / 1e6).toFixed(1),
  ]);
}
console.log(`A loss, forward and backward, on ${device.description}: milliseconds and peak MB`);
console.log(formatTable(
  ["B·T", "C", "V", "MiB at once", "apart", "in one", "ratio", "MB apart", "MB in one"],
  rows,
));
device.destroy();
