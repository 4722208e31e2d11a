/**
 * `vitrail profile`: where the time goes.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { profileKernels } from "../profiling/kernel_profile.ts";
import { profilePage } from "../profiling/profile_page.ts";
import { profileTable } from "../profiling/table.ts";
import { profileShader, type ShaderOutput } from "../profiling/shader_profile.ts";
import { traceOf } from "../profiling/trace.ts";
import {
  type Profiled,
  profileGenerate,
  profileStep,
  type WorkloadSizes,
} from "../profiling/workloads.ts";
import { BERT_PRESETS } from "./bert_presets.ts";
import { checkChoice, oneOf, wantedOne } from "./choices.ts";
import { whole } from "./numbers.ts";
import { addOverwriteFlag, claimFiles } from "./output.ts";
import { PRESETS } from "./presets.ts";
import { print, printPassing } from "./printer.ts";
import {
  outputLine,
  readShader,
  type ShaderFlags,
  shaderOptions,
  withShader,
} from "./profile_kernel.ts";

/** Flags of everything that is profiled. */
interface OutputFlags {
  json?: string;
  trace?: string;
  overwrite: boolean;
  html?: string;
  replay: boolean;
  roof: boolean;
}

/** Flags of what is profiled with a model. */
interface ModelFlags extends OutputFlags, Partial<WorkloadSizes> {
  preset: string;
}

/** Adds the command to the program. */
export function addProfile(program: Command): void {
  const profile = program.command("profile").description("show where the time goes")
    .option("--kernel <file>", "a shader of your own: the same as `profile kernel <file>`")
    // The flags of `profile kernel` are passed on to it.
    .allowUnknownOption().allowExcessArguments();
  const step = profile.command("step").description("a training step, kernel by kernel")
    .option("--family <name>", "gpt or bert", oneOf("gpt", "bert"), "gpt")
    .option("--steps <n>", "steps to record", whole(1), 5);
  withModel(step).action(async (flags: ModelFlags & { family: "gpt" | "bert"; steps: number }) => {
    const sizes = sizesOf(flags, flags.family === "gpt" ? PRESETS : BERT_PRESETS);
    await show(flags, (device) => profileStep(device, sizes, flags));
  });
  const write = profile.command("generate").description("a GPT that writes, kernel by kernel")
    .option("--tokens <n>", "tokens to write", whole(1), 64)
    .option("--prompt <n>", "tokens that are given", whole(1), 16);
  withModel(write).action(async (flags: ModelFlags & { tokens: number; prompt: number }) => {
    const sizes = sizesOf({ batch: 1, ...flags }, PRESETS);
    await show(flags, (device) => profileGenerate(device, sizes, flags));
  });
  const all = profile.command("kernels").description("every kernel, in the shapes of a model")
    .option("--only <name>", "cases whose name holds this, such as matmul", "")
    .option("--runs <n>", "calls of each case, of which the median counts", whole(1), 7);
  withOutput(all).action(async (flags: OutputFlags & { only: string; runs: number }) => {
    await show(flags, (device) => profileKernels(device, { ...flags, onCase: tellCase }));
  });
  addKernel(profile);
}

/** Adds `profile kernel <file>`, and sends `profile --kernel <file>` there. */
function addKernel(profile: Command): void {
  const kernel = profile.command("kernel").description("a shader of your own, with sizes given")
    .argument("<file>", "WGSL");
  withOutput(withShader(kernel)).action(async (file: string, flags: OutputFlags & ShaderFlags) => {
    const shader = readShader(file);
    const options = { ...flags, ...shaderOptions(flags) };
    await show(flags, (device) => profileShader(device, shader, options));
  });
  profile.action(async ({ kernel: file }: { kernel?: string }) => {
    if (file !== undefined) {
      await kernel.parseAsync([file, ...profile.args], { from: "user" });
    } else if (profile.args.length === 0) profile.help({ error: true });
    else {
      const names = profile.commands.map((command) => command.name());
      throw new VitrailError(
        `Cannot profile ${profile.args[0]}: ${wantedOne(profile.args[0], names)}`,
      );
    }
  });
}

function withModel(command: Command): Command {
  return withOutput(
    command
      .option("--preset <name>", "sizes, as of the commands that train", "pico")
      .option("--layers <n>", "blocks", whole(1))
      .option("--heads <n>", "heads of each block", whole(1))
      .option("--channels <n>", "width of the residual stream", whole(1))
      .option("--sequence <n>", "tokens in a sequence", whole(1))
      .option("--batch <n>", "sequences", whole(1))
      .option("--vocabulary <n>", "tokens of the vocabulary", whole(3), 1024),
  );
}

function withOutput(command: Command): Command {
  return addOverwriteFlag(command)
    .option("--json <file>", "write all figures as JSON")
    .option("--html <file>", "write a page: table, roofline and timeline")
    .option("--trace <file>", "write a trace for Perfetto or chrome://tracing")
    .option("--no-replay", "where the adapter has no timestamps, count and do not time")
    .option("--no-roof", "leave out the measurement of what the adapter can do");
}

function sizesOf(flags: ModelFlags, presets: Record<string, WorkloadPreset>): WorkloadSizes {
  checkChoice("preset", flags.preset, Object.keys(presets));
  const { layers, heads, channels, sequence, batch, vocabulary } = {
    ...presets[flags.preset],
    ...flags,
  };
  return { layers, heads, channels, sequence, batch, vocabulary: vocabulary! };
}

type WorkloadPreset = Omit<WorkloadSizes, "vocabulary">;

/** Says which case is running, on a terminal, in a line that goes away. */
function tellCase({ name, index, count }: { name: string; index: number; count: number }): void {
  printPassing(index < count ? `${index + 1}/${count} ${name}` : "");
}

/** Profiles, prints the table and writes the files that were asked for. */
async function show(
  flags: OutputFlags,
  run: (device: Device) => Promise<Profiled & { outputs?: ShaderOutput[] }>,
): Promise<void> {
  const { json, html, trace, overwrite } = flags;
  claimFiles({ "--json": json, "--html": html, "--trace": trace }, { overwrite });
  const device = await openDevice();
  try {
    const { profile, recording, outputs } = await run(device);
    print(profileTable(profile));
    if (outputs) print(["", ...outputs.map(outputLine)].join("\n"));
    if (flags.json) {
      const figures = JSON.stringify({ ...profile, outputs }, undefined, 1);
      writeFileAtomic(flags.json, figures + "\n");
    }
    if (flags.html) writeFileAtomic(flags.html, profilePage({ profile, recording }));
    if (flags.trace) {
      if (recording.timing !== "timestamps") {
        throw new VitrailError(
          `Cannot write ${flags.trace}: this adapter has no timestamps, of which a trace consists`,
        );
      }
      writeFileAtomic(flags.trace, JSON.stringify(traceOf(recording, profile.adapter)));
    }
  } finally {
    device.destroy();
  }
}
