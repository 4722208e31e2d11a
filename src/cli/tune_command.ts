/**
 * `vitrail tune`: measure ahead what commands would measure when they start.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { createGptConfig } from "../formats/gpt_config.ts";
import { generate } from "../generation/generate.ts";
import { openDevice } from "../gpu/device.ts";
import { Gpt } from "../models/gpt.ts";
import { trainerOf, type WorkloadSizes } from "../profiling/workloads.ts";
import { BERT_PRESETS } from "./bert_presets.ts";
import { checkChoice, oneOf } from "./choices.ts";
import { Interrupt, Interrupted } from "./interrupt.ts";
import { real, whole } from "./numbers.ts";
import { PRESETS } from "./presets.ts";
import { print } from "./printer.ts";
import { openCache, tuneWithBar } from "./tuning.ts";

/** Values of the flags. */
interface TuneFlags extends Partial<WorkloadSizes> {
  family: "gpt" | "bert";
  preset: string;
  prompt: number;
  samples: number;
  seconds: number;
  again: boolean;
}

/** Adds the command to the program. */
export function addTune(program: Command): void {
  program.command("tune")
    .description("measure which kernels are fast here, ahead of the commands that would")
    .option("--family <name>", "gpt or bert", oneOf("gpt", "bert"), "gpt")
    .option("--preset <name>", "sizes, as of the commands that train", "nano")
    .option("--heads <n>", "heads of each block", whole(1))
    .option("--channels <n>", "width of the residual stream", whole(1))
    .option("--sequence <n>", "tokens in a sequence", whole(1))
    .option("--batch <n>", "sequences", whole(1))
    .option("--vocabulary <n>", "tokens of the vocabulary", whole(3), 1024)
    .option("--prompt <n>", "tokens that a GPT is given to continue", whole(1), 16)
    .option("--samples <n>", "continuations at once", whole(1), 1)
    .option("--seconds <x>", "how long to measure, about", real(0), 120)
    .option("--again", "measure also what is known", false)
    .action(runTune);
}

/** Rehearses a training step, and a few tokens of a GPT, and measures the kernels that they call. */
async function runTune(flags: TuneFlags): Promise<void> {
  const { family, seconds, again } = flags;
  const presets = family === "gpt" ? PRESETS : BERT_PRESETS;
  checkChoice("preset", flags.preset, Object.keys(presets));
  const { heads, channels, sequence, batch, vocabulary = 0 } = {
    ...presets[flags.preset],
    ...flags,
  };
  const device = await openDevice();
  try {
    const cache = openCache(device);
    if (!cache) {
      throw new VitrailError(
        "Cannot tune: there is no folder to remember the winners in; run ./vitrail tune, or set " +
          "VITRAIL_CACHE and let Deno read the variable and write to the folder",
      );
    }
    // Blocks are alike, so one will do.
    const sizes = { layers: 1, heads, channels, sequence, batch, vocabulary };
    const { step } = trainerOf(device, family, sizes);
    const lines: string[] = [];
    using interrupt = new Interrupt("keeping what was measured");
    const measured = await tuneWithBar(device, async () => {
      step();
      if (family === "gpt") await write(sizes, flags);
    }, {
      cache,
      seconds,
      again,
      finish: true,
      signal: interrupt.signal,
      onCompared: (key, { winner, ratio }) => {
        const gain = ratio < 1 ? `${(100 * (1 - ratio)).toFixed(0)} % less time` : "as it ships";
        lines.push(`${key}: ${winner}, ${gain}`);
      },
    });
    for (const line of lines) print(line);
    print(`${measured} measured on ${device.description}; remembered in ${cache.path}`);
    if (interrupt.code !== undefined) {
      throw new Interrupted("Stopped early: run it again to measure the others", interrupt.code);
    }
  } finally {
    device.destroy();
  }

  async function write(sizes: WorkloadSizes, { prompt, samples }: TuneFlags): Promise<void> {
    const { vocabulary, sequence, channels, layers, heads } = sizes;
    const size = { vocabularySize: vocabulary, contextLength: sequence, channels, layers, heads };
    const length = Math.min(prompt, sequence - 2);
    const ids = Array.from({ length: Math.max(1, length) }, (_, i) => i % vocabulary);
    await generate(new Gpt(device, createGptConfig(size)), ids, { maxNewTokens: 2, samples });
  }
}
