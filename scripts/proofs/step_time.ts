/**
 * Proof: what a training step costs the host beside what it costs the adapter.
 *
 *     deno run --allow-read scripts/proofs/step_time.ts [--kernels] [--losses]
 *
 * Host time is the time in JavaScript until `submit` has returned, of one step on an idle adapter; wall
 * time is that of a step among many in a row. Exit code 1 if the host takes a tenth of the wall time
 * or more. `--kernels` counts dispatches by shader and entry point; `--losses` prints the losses of
 * the first 50 steps, for a comparison with another version, and measures nothing.
 *
 * @module
 */
import { formatTable, median } from "../../bench/harness.ts";
import { type Device, openDevice } from "../../src/gpu/device.ts";
import { bertStep, gptStep, type RepeatedStep } from "./step_models.ts";

const [COMPARED, WARM_UP, ROUNDS, STEPS] = [50, 3, 5, 8];
const flags = new Set(Deno.args);

/** What one model's step costs. */
interface StepCost {
  name: string;
  dispatches: number;
  commands: number;
  host: number;
  wall: number;
}

/** Counts dispatches, by entry point if asked, and all other commands, of one step. */
function count(device: Device, step: () => void): { kernels: Map<string, number>; others: number } {
  const kernels = new Map<string, number>();
  let others = 0;
  const { commands } = device;
  const { dispatch, clear, copy, copyToTexture, write } = commands;
  commands.dispatch = (kernel, entry, args) => {
    const label = `${kernel.name}.${entry}`;
    kernels.set(label, (kernels.get(label) ?? 0) + 1);
    dispatch.call(commands, kernel, entry, args);
  };
  commands.clear = (...args) => (others++, clear.apply(commands, args));
  commands.copy = (...args) => (others++, copy.apply(commands, args));
  commands.copyToTexture = (...args) => (others++, copyToTexture.apply(commands, args));
  commands.write = (...args) => (others++, write.apply(commands, args));
  step();
  Object.assign(commands, { dispatch, clear, copy, copyToTexture, write });
  return { kernels, others };
}

async function measure(
  device: Device,
  { name, step, losses }: RepeatedStep,
): Promise<StepCost | undefined> {
  let n = 0;
  const early: number[] = [];
  while (n < (flags.has("--losses") ? COMPARED : WARM_UP)) {
    step(n++);
    if (n % 25 === 0) early.push(...await losses());
  }
  if (flags.has("--losses")) {
    console.log(`${name}\n${early.join(" ")}`);
    return undefined;
  }
  const { kernels, others } = count(device, () => step(n++));
  if (flags.has("--kernels")) {
    const rows = [...kernels].toSorted((a, b) => b[1] - a[1]).map(([k, c]) => [k, `${c}`]);
    console.log(formatTable([name, "dispatches"], rows));
  }
  const [host, wall]: number[][] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    await losses();
    await device.finish();
    for (let i = 0; i < 4; i++) {
      const begun = performance.now();
      step(n++);
      host.push(performance.now() - begun);
      await device.finish();
    }
    await losses();
    const begun = performance.now();
    for (let i = 0; i < STEPS; i++) step(n++);
    await device.finish();
    wall.push((performance.now() - begun) / STEPS);
  }
  const dispatches = [...kernels.values()].reduce((sum, c) => sum + c, 0);
  return { name, dispatches, commands: others, host: median(host), wall: median(wall) };
}

const device = await openDevice();
const steps = [
  gptStep(device, { layers: 4, channels: 128, heads: 4, time: 64, batch: 12, vocabulary: 256 }),
  bertStep(device, { layers: 2, channels: 128, heads: 2, time: 64, batch: 16, vocabulary: 4000 }),
];
const costs: StepCost[] = [];
for (const step of steps) {
  const cost = await measure(device, step);
  if (cost) costs.push(cost);
}
if (costs.length > 0) {
  console.log(`One training step on ${device.description}`);
  console.log(formatTable(
    ["model", "dispatches", "copies, clears, writes", "host ms", "wall ms", "host/wall"],
    costs.map((c) => [
      c.name,
      `${c.dispatches}`,
      `${c.commands}`,
      c.host.toFixed(2),
      c.wall.toFixed(2),
      `${(100 * c.host / c.wall).toFixed(1)} %`,
    ]),
  ));
}
device.destroy();
if (costs.some((c) => c.host >= c.wall / 10)) {
  console.error("The host takes a tenth of a step or more");
  Deno.exitCode = 1;
}
