/**
 * Proof: the most memory that a training step uses grows linearly, with T and with V, and is what
 * `--dry-run` says. Draws the plot of docs/memory.md.
 *
 *     deno run --allow-read --allow-write=docs scripts/proofs/memory_plot.ts
 *
 * Exit code 1 if a doubling more than doubles the memory, beyond the eighth by which the buffer pool may
 * round up, or if the dry run is a tenth off.
 *
 * @module
 */
import { formatTable } from "../../bench/harness.ts";
import { crossEntropy } from "../../src/autograd/ops/cross_entropy.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import { type Device, openDevice } from "../../src/gpu/device.ts";
import { Gpt } from "../../src/models/gpt.ts";
import { freshWeights } from "../../src/models/weights.ts";
import { ghostWeights, planStep, type StepBuilder } from "../../src/profiling/step_plan.ts";
import { type Batch, languageModelling } from "../../src/training/task.ts";
import { Trainer } from "../../src/training/trainer.ts";
import { linePlot, type Panel } from "./line_plot.ts";

interface Sizes {
  /** T. */
  time: number;
  /** V. */
  vocabulary: number;
  /** B. */
  batch: number;
}

const MODEL = { layers: 2, heads: 4, channels: 64 };
const SWEEPS: { axis: "time" | "vocabulary"; heading: string; sizes: Sizes[] }[] = [
  {
    axis: "time",
    heading: "T (B 1, V 256)",
    sizes: [128, 256, 512, 1024, 2048].map((time) => ({ time, vocabulary: 256, batch: 1 })),
  },
  {
    axis: "vocabulary",
    heading: "V (B 2, T 256)",
    sizes: [256, 1024, 4096, 8192, 16384, 32768].map((vocabulary) => ({
      time: 256,
      vocabulary,
      batch: 2,
    })),
  },
];

/** A model and a batch; `twice` holds all logits and their gradient side by side. */
const builder = (sizes: Sizes, twice = false): StepBuilder<Batch> => (device, batch) => {
  const { time, vocabulary } = sizes;
  const size = { vocabularySize: vocabulary, contextLength: time, ...MODEL };
  const none = { embeddingDropout: 0, attentionDropout: 0, residualDropout: 0 };
  const source = device === present ? freshWeights(0) : ghostWeights;
  const model = new Gpt(device, createGptConfig(size, none), source);
  const task = languageModelling(model, time);
  const places = batch * time;
  if (twice) {
    task.loss = (run, { inputs, targets }, [scale]) => {
      const ids = model.ids(inputs, [batch, time]);
      const options = { targets: device.upload(Int32Array.from(targets), [batch, time]), scale };
      return [{ result: crossEntropy(run, model.forward(run, ids), options).result, scale: 1 }];
    };
  }
  return {
    task,
    batch: {
      inputs: Uint32Array.from({ length: places }, (_, i) => i * 31 % vocabulary),
      targets: Int32Array.from({ length: places }, (_, i) => i * 17 % vocabulary),
    },
  };
};

/** The most bytes in use over real steps, in an empty pool. */
async function measure(device: Device, sizes: Sizes): Promise<number> {
  await device.finish();
  device.pool.destroy();
  device.textures.destroy();
  device.pool.resetPeak();
  const { task, batch } = builder(sizes)(device, sizes.batch);
  const trainer = new Trainer(task);
  for (let i = 0; i < 2; i++) trainer.step([batch], 1e-3);
  const losses = (await trainer.figures()).map(({ loss }) => loss);
  if (!losses.every((loss) => loss > 0)) throw new Error(`The steps went wrong: ${losses}`);
  return device.pool.memory.peakBytes + device.textures.bytes;
}

const present = await openDevice();
const panels: Panel[] = [];
const { layers, heads, channels } = MODEL;
console.log(`Peak bytes of a training step on ${present.description}`);
console.log(`(${layers} layers, C ${channels}, ${heads} heads; ratio: to the row above)`);
const fail = (what: string): void => {
  console.error(what);
  Deno.exitCode = 1;
};
for (const { axis, heading, sizes } of SWEEPS) {
  const rows: { at: number; used: number; said: number; twice: number }[] = [];
  for (const size of sizes) {
    const planned = async (twice: boolean): Promise<number> =>
      (await planStep(present, builder(size, twice), size)).memory.total;
    const used = await measure(present, size);
    rows.push({ at: size[axis], used, said: await planned(false), twice: await planned(true) });
  }
  const cells = rows.map(({ at, used, said, twice }, i) => {
    const last = rows[i - 1];
    const [growth, most] = last ? [used / last.used, at / last.at * (1 + 1 / 8)] : [1, 1];
    if (growth > most) fail(`${heading} ${at}: ${growth} times the memory, ${most} at most wanted`);
    if (Math.abs(said / used - 1) > 0.1) fail(`${heading} ${at}: ${said} said, ${used} used`);
    return [`${at}`, `${used}`, last ? growth.toFixed(3) : "", `${said}`, `${twice}`];
  });
  console.log(formatTable([heading, "used", "ratio", "dry run", "logits twice"], cells));
  const line = (key: "used" | "said" | "twice") =>
    rows.map((row) => [row.at, row[key] / 1e6] as const);
  panels.push({
    title: `By ${heading}`,
    x: axis === "time" ? "tokens in a sequence" : "tokens of the vocabulary",
    y: "MB",
    series: [
      { name: "used", colour: "#1f6f8b", points: true, values: line("used") },
      { name: "as --dry-run says", colour: "#1f6f8b", values: line("said") },
      { name: "with logits and their gradient", colour: "#c0563b", values: line("twice") },
    ],
  });
}
Deno.writeTextFileSync(new URL("../../docs/memory.svg", import.meta.url), linePlot(panels));
present.destroy();
