/**
 * The flags that every command has which trains: rhythm, rates, where the run lies, how it goes on.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { checkpointStep } from "../training/checkpoint.ts";
import type { TrainSettings } from "../training/loop.ts";
import { refuseLocked } from "../formats/directory_lock.ts";
import { readHistory } from "../training/run_record.ts";
import { checkChoice } from "./choices.ts";
import { applyConfigFile } from "./config_file.ts";
import { real, whole } from "./numbers.ts";
import { MODEL_DIRECTORY, refuseToReplace } from "./output.ts";
import { addTuneFlag } from "./tuning.ts";

/** Values of those flags. */
export interface RunFlags {
  /** The run's directory. */
  out: string;
  /** Updates in all. */
  steps: number;
  /** Sequences in a micro-step. */
  batch?: number;
  /** Micro-steps in a step. */
  accumulation: number;
  /** Highest learning rate. */
  learningRate?: number;
  /** Learning rate at the end. */
  minimumLearningRate?: number;
  /** Steps of warm-up. */
  warmup?: number;
  /** Shape of the decay. */
  schedule: "cosine" | "linear" | "constant";
  /** Decoupled weight decay. */
  weightDecay: number;
  /** Largest gradient norm. */
  clip: number;
  /** Steps between evaluations. */
  evaluateEvery?: number;
  /** Steps between checkpoints. */
  saveEvery?: number;
  /** Evaluations without improvement before the run stops. */
  patience: number;
  /** Type of activations. */
  precision: "f32" | "f16";
  /** Seed of weights, order and dropout. */
  seed: number;
  /** JSON file with flags. */
  config?: string;
  /** Go on from the checkpoint. */
  resume?: boolean;
  /** Replace the run. */
  overwrite?: boolean;
  /** Measure variants of kernels, and use the fastest. */
  tune: boolean;
  /** Say what the run would take, and leave. */
  dryRun?: boolean;
  /** With a dry run: measure how long a step takes. */
  time?: boolean;
  /** Bytes that it may take. */
  memory?: number;
}

/** Adds `--dry-run` and what it asks; a command that cannot write needs no `--out`. */
export function addDryRunFlags(command: Command): Command {
  command
    .option("--dry-run", "say what memory, work and time the run would take, and leave")
    .option("--no-time", "with --dry-run: leave out how long it takes, which is measured")
    .option("--memory <GB>", "with --dry-run: memory that the adapter has", gigabytes);
  const out = command.options.find(({ long }) => long === "--out")!;
  return command.on("option:dry-run", () => out.makeOptionMandatory(false));
}

const gigabytes = (text: string): number => real(0)(text) * 1e9;

/** Adds the flags to a command; `defaults` are its own. */
export function addRunFlags(
  command: Command,
  defaults: { steps: number; patience?: number },
): Command {
  return addTuneFlag(command)
    .requiredOption("--out <directory>", "where the model goes")
    .option("--steps <n>", "updates", whole(1), defaults.steps)
    .option("--batch <n>", "sequences in a micro-step", whole(1))
    .option("--accumulation <n>", "micro-steps in a step", whole(1), 1)
    .option("--learning-rate <x>", "highest learning rate", real(0))
    .option("--minimum-learning-rate <x>", "learning rate at the end", real(0))
    .option("--warmup <n>", "steps of warm-up", whole(0))
    .option("--schedule <kind>", "cosine, linear or constant", "cosine")
    .option("--weight-decay <x>", "decoupled weight decay", real(0), 0.1)
    .option("--clip <x>", "largest gradient norm, 0 for none", real(0), 1)
    .option("--precision <type>", "f32, or f16 activations with f32 weights behind them", "f32")
    .option("--evaluate-every <n>", "steps between evaluations", whole(1))
    .option("--save-every <n>", "steps between checkpoints", whole(1))
    .option(
      "--patience <n>",
      "stop after so many evaluations without improvement, 0 for never",
      whole(0),
      defaults.patience ?? 0,
    )
    .option("--seed <n>", "seed of weights, order and dropout", whole(0), 0)
    .option("--config <file>", "JSON file with any of these flags; flags override it")
    .option("--resume", "continue from the checkpoint in --out, if there is one yet")
    .option("--overwrite", "replace the run in --out");
}

/** Flags that are settled, and what they come to for a run that is resumed. */
export interface Settled<Flags> {
  /** The flags. */
  flags: Flags;
  /** Why nothing is left to do; absent if something is. */
  done?: string;
}

/**
 * Flags, over the file of `--config`, over the run that `--resume` continues, over defaults.
 *
 * @throws {VitrailError} when there is nothing to train on, a run stands where this one would go, or the run
 * has done more steps than it should have
 */
export function settle<Flags extends RunFlags & { data: string }>(
  command: Command,
): Settled<Flags> {
  const flags = command.opts<Flags>();
  const stored = `${flags.out}/training.json`;
  const resumes = flags.resume && exists(stored);
  if (resumes) applyConfigFile(command, stored, flags);
  if (flags.config) applyConfigFile(command, flags.config, flags);
  checkChoice("schedule", flags.schedule, ["cosine", "linear", "constant"]);
  checkChoice("precision", flags.precision, ["f32", "f16"]);
  // What is only looked at needs no text, and replaces nothing.
  if (flags.dryRun) return { flags };
  if (!flags.data) {
    throw new VitrailError(
      flags.resume
        ? `Cannot resume ${flags.out}: it holds no run; begin one with --data FILE`
        : "Cannot train without text: give --data FILE",
    );
  }
  refuseLocked(flags.out);
  guardRun(flags);
  const step = resumes ? checkpointStep(flags.out) : undefined;
  if (step === undefined) return { flags };
  const done = nothingLeft(flags, step);
  // What follows the last step was cut short: it is about the run as it was, whatever is asked now.
  if (!done && step === flags.steps) applyConfigFile(command, stored, flags, { override: true });
  return { flags, done };
}

/**
 * Why a run that is at `step` has nothing left to do; nothing if it has.
 *
 * @throws {VitrailError} if it has done more than is asked
 */
function nothingLeft({ out, steps, patience }: RunFlags, step: number): string | undefined {
  if (steps < step) {
    throw new VitrailError(
      `Cannot resume ${out} up to step ${steps}: it has done ${step}, and stays as it is; train on ` +
        `with --steps ${step + 1} or more, or begin again with --overwrite`,
    );
  }
  const last = readHistory(out).at(-1);
  if (!last?.complete) return undefined;
  if (steps === step) {
    return `Nothing to do: ${step} steps were done; train on with --resume --steps N`;
  }
  const had = Number(last.asked.patience);
  return last.ended === "no improvement" && patience > 0 && patience <= had
    ? `Nothing to do: it stopped at step ${step} after ${had} evaluations without improvement; ` +
      "train on with --resume --patience N"
    : undefined;
}

/** What a run leaves besides a model. */
const RUN_FILES = [
  "training.json",
  "history.json",
  "metrics.jsonl",
  "samples.jsonl",
  "speed.jsonl",
  "evaluation.json",
  "report.html",
  "data/tokens.json",
  "data/sentences.safetensors",
  "merged/config.json",
];

/**
 * A run may have taken days: what it left is not replaced by a forgotten `--resume`. A model that no run of
 * ours left is not replaced by `--resume` either.
 *
 * @throws {VitrailError} if something would be replaced that was not asked to be
 */
export function guardRun({ out, resume, overwrite }: RunFlags): void {
  const step = overwrite ? undefined : checkpointStep(out);
  if (resume && (step !== undefined || exists(`${out}/training.json`))) return;
  if (step !== undefined) {
    throw new VitrailError(
      `Cannot begin a run in ${out}: it holds one at step ${step}; ` +
        "continue it with --resume, replace it with --overwrite, or give another --out",
    );
  }
  const run = exists(`${out}/training.json`);
  const names = [...MODEL_DIRECTORY, ...RUN_FILES];
  refuseToReplace(names.map((name) => `${out}/${name}`), { overwrite, resumable: run });
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The settings of the training loop. */
export function trainSettings(flags: RunFlags, learningRate: number): TrainSettings {
  const often = Math.max(1, Math.ceil(flags.steps / 10));
  return {
    steps: flags.steps,
    learningRate,
    minimumLearningRate: flags.minimumLearningRate ?? learningRate / 10,
    warmupSteps: flags.warmup ?? Math.min(100, Math.ceil(flags.steps / 20)),
    schedule: flags.schedule,
    weightDecay: flags.weightDecay,
    clip: flags.clip,
    precision: flags.precision,
    accumulation: flags.accumulation,
    evaluateEvery: flags.evaluateEvery ?? often,
    saveEvery: flags.saveEvery ?? often,
    patience: flags.patience,
    seed: flags.seed,
  };
}

/** What `training.json` holds: every flag but those about this one start. */
export function storedFlags(flags: RunFlags): Record<string, unknown> {
  const { resume: _resume, overwrite: _overwrite, config: _config, ...kept } = flags;
  const { memory: _memory, time: _time, tune: _tune, dryRun: _dryRun, ...rest } = kept;
  return rest;
}
