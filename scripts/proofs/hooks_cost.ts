/**
 * Proof: hook points at which nobody listens cost nothing. A training step and a generated token of this
 * checkout and of one from before it had them, in turn in one process.
 *
 *     git worktree add /tmp/before a371ab7
 *     deno run --allow-read scripts/proofs/hooks_cost.ts --before /tmp/before [--rounds 40]
 *
 * Times are medians over rounds, in which the two take turns at going first; the ratio is the median of
 * the rounds' own ratios, so that what else the machine does meets both. Exit code 1 if one is over 1.02.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { formatTable, median } from "../../bench/harness.ts";

type Vitrail = typeof import("../../mod.ts");
/** Runs a while and returns the milliseconds of one step or token. */
type Timed = () => Promise<number>;

const BOUND = 1.02;
const [STEPS, TOKENS] = [4, 96];

const { values } = parseArgs({
  args: Deno.args,
  options: { before: { type: "string" }, rounds: { type: "string", default: "40" } },
});
if (!values.before) throw new Error("Cannot compare: wanted --before DIR, an earlier checkout");

/** A training step of a GPT: forward, backward, clipping and AdamW. */
async function trainingStep(vitrail: Vitrail): Promise<Timed> {
  const { AdamW, createGptConfig, Gpt, openDevice, Run } = vitrail;
  const device = await openDevice();
  const [B, T, V] = [12, 64, 256];
  const size = { vocabularySize: V, contextLength: T, channels: 128, layers: 4, heads: 4 };
  const model = new Gpt(device, createGptConfig(size));
  const optimizer = new AdamW(model.parameters, { clip: 1 });
  const ids = model.ids(Array.from({ length: B * T }, (_, i) => i * i % V), [B, T]);
  const targets = device.upload(Int32Array.from({ length: B * T }, (_, i) => i * 7 % V), [B, T]);
  return async () => {
    const begun = performance.now();
    for (let i = 0; i < STEPS; i++) {
      using _step = device.scope();
      optimizer.clearGradients();
      const run = new Run(device, { record: true, training: true, step: i });
      run.tape!.backward(model.loss(run, ids, { targets }).result);
      optimizer.step(1e-4);
      device.commands.submit();
    }
    await device.finish();
    return (performance.now() - begun) / STEPS;
  };
}

/** A step of a BERT's pre-training. */
async function pretrainingStep(vitrail: Vitrail): Promise<Timed> {
  const { AdamW, Bert, createBertConfig, openDevice, preTrain, Run } = vitrail;
  const device = await openDevice();
  const [B, T, V] = [12, 64, 256];
  const size = { vocabularySize: V, contextLength: T, channels: 128, layers: 4, heads: 4 };
  const model = new Bert(device, createBertConfig(size));
  const optimizer = new AdamW(model.parameters, { clip: 1 });
  const ids = model.ids(Array.from({ length: B * T }, (_, i) => 1 + i * i % (V - 1)), [B, T]);
  const tokens = Int32Array.from({ length: B * T }, (_, i) => i % 7 === 3 ? i % V : -100);
  const follows = Int32Array.from({ length: B }, (_, i) => i % 2);
  return async () => {
    const begun = performance.now();
    for (let i = 0; i < STEPS; i++) {
      using _step = device.scope();
      optimizer.clearGradients();
      const run = new Run(device, { record: true, training: true, step: i });
      const { losses } = preTrain(run, model, { ids, tokens, follows });
      run.tape!.backward(losses.map(({ result }) => result));
      optimizer.step(1e-4);
      device.commands.submit();
    }
    await device.finish();
    return (performance.now() - begun) / STEPS;
  };
}

/** A token written by a GPT, its prompt among them. */
async function generatedToken(vitrail: Vitrail): Promise<Timed> {
  const { createGptConfig, generate, Gpt, openDevice } = vitrail;
  const device = await openDevice();
  const size = { vocabularySize: 512, contextLength: 128, channels: 64, layers: 2, heads: 2 };
  const model = new Gpt(device, createGptConfig(size));
  return async () => {
    const begun = performance.now();
    await generate(model, [1, 2, 3], { maxNewTokens: TOKENS, seed: 1 });
    return (performance.now() - begun) / TOKENS;
  };
}

/** A forward pass alone, at a size at which it is all host. */
async function smallForward(vitrail: Vitrail): Promise<Timed> {
  const { createGptConfig, Gpt, openDevice, Run } = vitrail;
  const device = await openDevice();
  const size = { vocabularySize: 64, contextLength: 16, channels: 32, layers: 6, heads: 2 };
  const model = new Gpt(device, createGptConfig(size));
  const ids = model.ids(Array.from({ length: 8 }, (_, i) => i));
  return async () => {
    const begun = performance.now();
    for (let i = 0; i < STEPS; i++) {
      using _pass = device.scope();
      model.forward(new Run(device), ids);
    }
    await device.finish();
    return (performance.now() - begun) / STEPS;
  };
}

const load = (directory: string): Promise<Vitrail> =>
  import(pathToFileURL(resolve(directory, "mod.ts")).href);
const versions = [
  await load(values.before),
  await load(new URL("../..", import.meta.url).pathname),
];
const rows: string[][] = [];
for (
  const [name, make] of Object.entries({
    "training step, GPT": trainingStep,
    "training step, BERT": pretrainingStep,
    "generated token": generatedToken,
    "forward pass of 8 tokens": smallForward,
  })
) {
  const [before, after] = [await make(versions[0]), await make(versions[1])];
  const times: [before: number, after: number][] = [];
  // Two rounds to warm up, which nobody counts.
  for (let round = -2; round < Number(values.rounds); round++) {
    const pair: [number, number] = [0, 0];
    const first = Math.abs(round % 2);
    for (const i of [first, 1 - first]) pair[i] = await [before, after][i]();
    if (round >= 0) times.push(pair);
  }
  const ratio = median(times.map(([b, a]) => a / b));
  if (ratio > BOUND) Deno.exitCode = 1;
  const of = (i: 0 | 1): string => median(times.map((pair) => pair[i])).toFixed(3);
  rows.push([name, of(0), of(1), ratio.toFixed(4)]);
}
console.log(`Milliseconds with no hook attached, medians of ${values.rounds} rounds`);
console.log(formatTable(["", "before", "after", "ratio"], rows));
Deno.exit();
