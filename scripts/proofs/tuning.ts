/**
 * Proves what the tuner promises, on the products of matrices of training, fine-tuning and generation:
 * its choices are never slower than the shipped table by more than 5 %, a quarter of them are faster by
 * as much at least, and a second start measures nothing.
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
import { classOf, matmul, type MatmulOptions } from "../../src/kernels/matmul.ts";
import { type MatmulCall, shipped, tunable } from "../../src/kernels/matmul_variants.ts";
import { machineOf, TuningCache } from "../../src/tuning/cache.ts";
import { takeTurns, typical } from "../../src/tuning/compare.ts";
import { tune } from "../../src/tuning/tune.ts";
import { formatTable } from "../../bench/harness.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "300" } } });
/** Rounds of the measurement that judges. */
const ROUNDS = 200;
const BOUND = 0.05;

const device = await openDevice();
const shapes = device.isCpu
  ? { rows: 768, channels: 128, vocabulary: 1024, rank: 8, labels: 4 }
  : { rows: 8192, channels: 768, vocabulary: 50257, rank: 8, labels: 4 };
const calls = callsOf(shapes);
const folder = Deno.makeTempDirSync();
try {
  const rehearse = () => calls.forEach(([, call]) => multiply(call));
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
  const rows: string[][] = [];
  const found: number[] = [];
  for (const [name, call] of calls) {
    const usual = shipped(device, call);
    const winner = device.variants.choose(classOf(call), usual, () => tunable(device, call, usual));
    const ratio = winner === usual ? 1 : await judge(call, usual, winner);
    found.push(ratio);
    const { m, n, k } = call;
    rows.push([name, `${m}×${k} · ${k}×${n}`, usual, winner, ratio.toFixed(2)]);
  }
  console.log(device.description);
  console.log(formatTable(["product", "shape", "shipped", "tuned", "time"], rows));
  const slower = found.filter((ratio) => ratio > 1 + BOUND).length;
  const faster = found.filter((ratio) => ratio < 1 - BOUND).length;
  console.log(
    `${first} classes measured in ${took.toFixed(1)} s, ${second} at the second start; of ` +
      `${found.length} products, ${faster} are faster by more than 5 %, ${slower} slower`,
  );
  if (second > 0 || slower > 0 || faster < found.length / 4) Deno.exitCode = 1;
} finally {
  Deno.removeSync(folder, { recursive: true });
  device.destroy();
}

/** The tuned variant's time as a share of the shipped one's. */
async function judge(call: MatmulCall, usual: string, winner: string): Promise<number> {
  using _operands = device.scope();
  const trial = tunable(device, call, shipped(device, call)).prepare(device, numbers);
  for (const variant of [usual, winner]) trial.run(variant);
  await device.finish();
  const times = await takeTurns(device, trial, [usual, winner], ROUNDS);
  return typical(times[winner]) / typical(times[usual]);
}

function numbers(shape: readonly number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return device.upload(Float32Array.from({ length: size }, (_, i) => Math.sin(i)), shape);
}

function multiply({ m, n, k, transposeA, transposeB, accumulate, hasBias }: MatmulCall): void {
  using _product = device.scope();
  const zeros = (...shape: number[]): Tensor => device.zeros(shape);
  const options: MatmulOptions = {
    transposeA,
    transposeB,
    accumulate,
    bias: hasBias ? zeros(n) : undefined,
    out: accumulate ? zeros(m, n) : undefined,
  };
  matmul(
    transposeA ? zeros(k, m) : zeros(m, k),
    transposeB ? zeros(n, k) : zeros(k, n),
    options,
  );
}

/** Every product of a model's matrices, by what it belongs to. */
function callsOf(
  { rows, channels: C, vocabulary: V, rank: r, labels }: typeof shapes,
): [string, MatmulCall][] {
  const plain = { transposeA: false, transposeB: false, accumulate: false, hasBias: false };
  const forward = (m: number, n: number, k: number) => ({ ...plain, m, n, k, hasBias: true });
  const dX = (m: number, n: number, k: number) => ({ ...plain, m, n, k, transposeB: true });
  const dWeight = (m: number, n: number, k: number) => ({
    ...plain,
    m,
    n,
    k,
    transposeA: true,
    accumulate: true,
  });
  const linear = (name: string, n: number, k: number): [string, MatmulCall][] => [
    [`${name} forward`, forward(rows, n, k)],
    [`${name} dX`, dX(rows, k, n)],
    [`${name} dWeight`, dWeight(k, n, rows)],
  ];
  const row = (name: string, m: number): [string, MatmulCall][] => [
    [`${name} qkv`, forward(m, 3 * C, C)],
    [`${name} projection`, forward(m, C, C)],
    [`${name} mlp in`, forward(m, 4 * C, C)],
    [`${name} mlp out`, forward(m, C, 4 * C)],
    [`${name} logits`, dX(m, V, C)],
  ];
  return [
    ...linear("qkv", 3 * C, C),
    ...linear("projection", C, C),
    ...linear("mlp in", 4 * C, C),
    ...linear("mlp out", C, 4 * C),
    ["logits", dX(rows, V, C)],
    ["logits dX", { ...plain, m: rows, n: C, k: V }],
    ["logits dWeight", dWeight(V, C, rows)],
    ["LoRA down", dX(rows, r, C)],
    ["LoRA up", dX(rows, C, r)],
    ["LoRA dDown", dWeight(r, C, rows)],
    ["LoRA dUp", dWeight(C, r, rows)],
    ["labels", forward(rows, labels, C)],
    ["labels dX", dX(rows, C, labels)],
    ["labels dWeight", dWeight(C, labels, rows)],
    ...row("a token", 1),
    ...row("a token of 8 texts", 8),
    ...row("a prompt of 13", 13),
  ];
}
