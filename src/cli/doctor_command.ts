/**
 * `vitrail doctor`: what this machine offers, and how long training takes on it.
 *
 * @module
 */
import type { Command } from "commander";
import { createGptConfig } from "../formats/gpt_config.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { matmul } from "../kernels/matmul.ts";
import { Gpt } from "../models/gpt.ts";
import { ghostWeights, planStep, type StepBuilder } from "../profiling/step_plan.ts";
import { measureStep } from "../profiling/step_time.ts";
import { type Batch, languageModelling } from "../training/task.ts";
import { formatDuration } from "../training/progress_format.ts";
import { formatSeconds, variedIds } from "./dry_run.ts";
import { type Preset, PRESETS } from "./presets.ts";
import { print, printNotice } from "./printer.ts";

/** Adds the command to the program. */
export function addDoctor(program: Command): void {
  program.command("doctor")
    .description(
      "say which adapter is there, its limits, whether a kernel runs, and how fast it trains",
    )
    .option("--no-time", "leave out how long training takes, which is measured")
    .option("--json", "print one JSON object", false)
    .action(async (flags: { time: boolean; json: boolean }) => {
      const device = await openDevice();
      const { maxBufferSize, maxStorageBufferBindingSize } = device.raw.limits;
      const a = device.upload(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]);
      const product = Array.from(await matmul(a, a, { transposeB: true }).read());
      const right = product.join() === "14,32,32,77";
      const report = {
        deno: Deno.version.deno,
        adapter: device.description,
        software: device.isCpu,
        maxBufferSize,
        maxStorageBufferBindingSize,
        matmul: right ? "right" : "wrong",
      };
      if (!right) Deno.exitCode = 1;
      if (!flags.json) {
        for (const [name, value] of Object.entries(report)) print(`${name}: ${value}`);
        if (flags.time && right) printNotice("Measuring how fast it trains …");
      }
      const training = flags.time && right ? await timesOf(device) : undefined;
      device.destroy();
      if (flags.json) print(JSON.stringify({ ...report, training }));
      else if (training) print(verdict(report, training));
    });
}

/** How long training takes here, by preset of `train`. */
type TrainingTimes = Record<string, { stepSeconds: number; measured: boolean }>;

/** V of the model whose step is looked at: the usual one of `train`. */
const VOCABULARY = 1024;

/** A step of the smallest preset is measured; those of the others follow by their arithmetic. */
async function timesOf(device: Device): Promise<TrainingTimes> {
  const times: TrainingTimes = {};
  let perFlop = 0;
  for (const [name, preset] of Object.entries(PRESETS)) {
    const build = builderOf(preset);
    const { flops, obstacle } = await planStep(device, build, { batch: preset.batch });
    if (obstacle !== undefined) continue;
    if (perFlop === 0) {
      const { seconds, steps } = await measureStep(device, build, { batch: preset.batch, flops });
      perFlop = seconds / flops;
      times[name] = { stepSeconds: seconds, measured: steps > 0 };
    } else times[name] = { stepSeconds: flops * perFlop, measured: false };
  }
  return times;
}

function builderOf({ layers, heads, channels, sequence }: Preset): StepBuilder<Batch> {
  const size = { vocabularySize: VOCABULARY, contextLength: sequence, channels, layers, heads };
  const none = { embeddingDropout: 0, attentionDropout: 0, residualDropout: 0 };
  return (on, batch) => ({
    task: languageModelling(new Gpt(on, createGptConfig(size, none), ghostWeights), sequence),
    batch: {
      inputs: variedIds(batch * sequence, VOCABULARY),
      targets: new Int32Array(batch * sequence),
    },
  });
}

/** What that comes to, in words. */
function verdict({ software }: { software: boolean }, times: TrainingTimes): string {
  const lines = Object.entries(times).map(([name, { stepSeconds, measured }]) =>
    `train --preset ${name}: ${formatSeconds(stepSeconds)} per step (${
      measured ? "measured" : "by its arithmetic"
    }), 1,000 steps in about ${formatDuration(1000 * stepSeconds)}`
  );
  const where = software
    ? "ready; shaders run on the processor, a graphics card with its driver would be faster"
    : "ready";
  return [...lines, where].join("\n");
}
