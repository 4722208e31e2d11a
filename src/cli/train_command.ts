/**
 * `vitrail train`: from a text to a model directory.
 *
 * @module
 */
import type { Command } from "commander";
import { BatchSampler, sequentialBatches } from "../data/batches.ts";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { createGptConfig, type GptConfig } from "../formats/gpt_config.ts";
import { openDevice } from "../gpu/device.ts";
import { generate } from "../generation/generate.ts";
import { Gpt } from "../models/gpt.ts";
import { freshWeights } from "../models/weights.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { checkpointStep, removeCheckpoint, removeLeftovers } from "../training/checkpoint.ts";
import { languageModelling } from "../training/task.ts";
import { loadGpt } from "../models/files.ts";
import { train, type TrainResult } from "../training/loop.ts";
import { ProgressBar } from "../training/progress.ts";
import { RunLog } from "../training/run_log.ts";
import { checkChoice } from "./choices.ts";
import { applyConfigFile } from "./config_file.ts";
import { real, whole } from "./numbers.ts";
import { makeOutput } from "./output.ts";
import { PRESETS } from "./presets.ts";
import { checkData, datasetFor, tokenizerFor } from "./train_data.ts";

/** Everything that decides a run; kept in its directory as `training.json`. */
export interface TrainFlags {
  data: string;
  out: string;
  steps: number;
  preset: string;
  layers?: number;
  heads?: number;
  channels?: number;
  sequence?: number;
  batch?: number;
  learningRate?: number;
  minimumLearningRate?: number;
  warmup?: number;
  schedule: "cosine" | "linear" | "constant";
  weightDecay: number;
  clip: number;
  accumulation: number;
  dropout: number;
  positions: GptConfig["positions"];
  tokenizer: string;
  vocabulary: number;
  validationFraction: number;
  evaluateEvery?: number;
  evaluateBatches: number;
  saveEvery?: number;
  patience: number;
  samples: number;
  checkpointing: boolean;
  textField: string;
  from?: string;
  seed: number;
  config?: string;
  resume?: boolean;
  overwrite?: boolean;
}

/** Adds the command to the program. */
export function addTrain(program: Command): void {
  program.command("train")
    .description("train a GPT on a text and write it as a Hugging Face directory")
    .option("--data <source>", "text file, folder, .jsonl, - or a corpus name")
    .requiredOption("--out <directory>", "where the model goes")
    .option("--steps <n>", "updates", whole(1), 1000)
    .option("--preset <name>", `sizes: ${Object.keys(PRESETS).join(", ")}`, "nano")
    .option("--layers <n>", "blocks", whole(1))
    .option("--heads <n>", "heads of each block", whole(1))
    .option("--channels <n>", "width of the residual stream", whole(1))
    .option("--sequence <n>", "tokens in a sequence; also the model's context", whole(1))
    .option("--batch <n>", "sequences in a micro-step", whole(1))
    .option("--accumulation <n>", "micro-steps in a step", whole(1), 1)
    .option("--learning-rate <x>", "highest learning rate", real(0))
    .option("--minimum-learning-rate <x>", "learning rate at the end", real(0))
    .option("--warmup <n>", "steps of warm-up", whole(0))
    .option("--schedule <kind>", "cosine, linear or constant", "cosine")
    .option("--weight-decay <x>", "decoupled weight decay", real(0), 0.1)
    .option("--clip <x>", "largest gradient norm, 0 for none", real(0), 1)
    .option("--dropout <p>", "dropout everywhere", real(0, 0.99), 0)
    .option("--positions <kind>", "learned, sinusoidal or none", "learned")
    .option("--tokenizer <kind>", "bpe, characters, or a directory with a tokenizer", "bpe")
    .option("--vocabulary <n>", "tokens of a new tokenizer", whole(3), 1024)
    .option("--validation-fraction <x>", "part of the text held out", real(0, 0.9), 0.1)
    .option("--evaluate-every <n>", "steps between evaluations", whole(1))
    .option("--evaluate-batches <n>", "batches of an evaluation", whole(1), 20)
    .option("--save-every <n>", "steps between checkpoints", whole(1))
    .option("--patience <n>", "stop after so many evaluations without improvement", whole(0), 0)
    .option("--samples <n>", "tokens of the sample at each evaluation, 0 for none", whole(0), 60)
    .option("--checkpointing", "recompute blocks in the backward pass to save memory", false)
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--from <directory>", "begin with the weights and tokenizer of a model")
    .option("--seed <n>", "seed of weights, order and dropout", whole(0), 0)
    .option("--config <file>", "JSON file with any of these flags; flags override it")
    .option("--resume", "continue from the checkpoint in --out, if there is one yet")
    .option("--overwrite", "replace the run in --out")
    .action(async (_flags: TrainFlags, command: Command) => {
      const flags = settle(command);
      refuseToReplace(flags);
      await runTrain(flags);
    });
}

/** Flags, over the file of `--config`, over the run that `--resume` continues, over defaults. */
function settle(command: Command): TrainFlags {
  const flags = command.opts<TrainFlags>();
  const set = (file: string): void => applyConfigFile(command, file, flags);
  const stored = `${flags.out}/training.json`;
  if (flags.resume && exists(stored)) set(stored);
  if (flags.config) set(flags.config);
  if (flags.data) return flags;
  throw new VitrailError(
    flags.resume
      ? `Cannot resume ${flags.out}: it holds no run; begin one with --data FILE`
      : "Cannot train without text: give --data FILE",
  );
}

/** A run may have taken days: what it left is not replaced by a forgotten `--resume`. */
function refuseToReplace({ out, resume, overwrite }: TrainFlags): void {
  const step = resume || overwrite ? undefined : checkpointStep(out);
  if (step === undefined) return;
  throw new VitrailError(
    `Cannot begin a run in ${out}: it holds one at step ${step}; ` +
      "continue it with --resume, replace it with --overwrite, or give another --out",
  );
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Trains, or goes on training where there is a checkpoint to go on from. */
export async function runTrain(asked: TrainFlags): Promise<TrainResult> {
  const resume = Boolean(asked.resume) && checkpointStep(asked.out) !== undefined;
  const flags = { ...asked, resume };
  checkChoice("preset", flags.preset, Object.keys(PRESETS));
  checkChoice("schedule", flags.schedule, ["cosine", "linear", "constant"]);
  const preset = PRESETS[flags.preset];
  const size = { ...preset, ...defined(flags) };
  const { out } = flags;
  const configure = (vocabularySize: number, endOfText?: number): GptConfig =>
    createGptConfig({
      vocabularySize,
      contextLength: size.sequence,
      channels: size.channels,
      layers: size.layers,
      heads: size.heads,
    }, {
      positions: flags.positions,
      embeddingDropout: flags.dropout,
      attentionDropout: flags.dropout,
      residualDropout: flags.dropout,
      endOfTextId: endOfText,
      beginOfTextId: endOfText,
    });
  // All that can be told is told now: what follows replaces files, and may take long.
  configure(flags.vocabulary);
  if (!resume) {
    await checkData(flags);
    makeOutput(out);
    removeCheckpoint(out);
  }
  removeLeftovers(out);
  writeFileAtomic(`${out}/training.json`, JSON.stringify(settingsOf(flags), null, 2) + "\n");
  const tokenizer = await tokenizerFor(flags);
  const dataset = await datasetFor(flags, tokenizer);
  const device = await openDevice();
  let model: Gpt;
  if (resume) {
    model = loadGpt(device, out);
  } else if (flags.from) {
    model = loadGpt(device, flags.from);
  } else {
    const config = configure(tokenizer.vocabularySize, tokenizer.endOfText);
    model = new Gpt(device, config, freshWeights(flags.seed));
  }
  model.checkpointing = flags.checkpointing;
  const { batch, sequence } = size;
  using trainTokens = dataset.open("train");
  using heldOut = dataset.open("validation");
  const sampler = new BatchSampler(trainTokens, { batch, sequence, seed: flags.seed });
  const settings = {
    steps: flags.steps,
    learningRate: size.learningRate,
    minimumLearningRate: flags.minimumLearningRate ?? size.learningRate / 10,
    warmupSteps: flags.warmup ?? Math.min(100, Math.ceil(flags.steps / 20)),
    schedule: flags.schedule,
    weightDecay: flags.weightDecay,
    clip: flags.clip,
    accumulation: flags.accumulation,
    evaluateEvery: flags.evaluateEvery ?? Math.max(1, Math.ceil(flags.steps / 10)),
    saveEvery: flags.saveEvery ?? Math.max(1, Math.ceil(flags.steps / 10)),
    patience: flags.patience,
    seed: flags.seed,
  };
  console.error(
    `${model.parameterCount.toLocaleString("en")} parameters, ` +
      `${dataset.train.tokens.toLocaleString("en")} tokens to train on, ` +
      `${dataset.validation.tokens.toLocaleString("en")} held out, on ${device.description}`,
  );
  using log = new RunLog(out, {
    title: `Training ${out}`,
    config: { ...settings, ...model.config, parameters: model.parameterCount, data: flags.data },
    tokensPerStep: batch * sequence * flags.accumulation,
  });
  using bar = new ProgressBar({ total: flags.steps, label: "train" });
  using interrupt = onInterrupt();
  let [begun, validation] = [0, ""];
  let done: Partial<TrainResult> = {};
  const report = (status: string, notice?: string): void => {
    const speed = log.tokensPerSecond;
    log.report({
      "status": status,
      ...done.step === undefined ? {} : { "steps": done.step },
      ...done.bestLoss == null ? {} : { "best validation loss": done.bestLoss },
      ...Number.isFinite(speed) ? { "tokens per second": Math.round(speed) } : {},
    }, notice);
  };
  try {
    const result = done = await train(languageModelling(model, sequence), settings, {
      batchAt: (n) => sampler.at(n),
      validation: heldOut.length > 1
        ? () => sequentialBatches(heldOut, { batch, sequence, limit: flags.evaluateBatches })
        : undefined,
      directory: out,
      resume,
      signal: interrupt.signal,
      onStart: ({ step, bestLoss }) => {
        done.bestLoss = bestLoss;
        begun = step;
        log.begin(step);
        bar.begin(step);
      },
      onSteps: (figures, seconds) => {
        log.steps(figures, seconds);
        const { step, loss } = figures.at(-1)!;
        done.step = step;
        bar.update(step, {
          loss: loss.toFixed(3),
          ...(validation ? { val: validation } : {}),
          "tok/s": Math.round(log.tokensPerSecond),
        });
      },
      onEvaluation: async (step, { loss }) => {
        log.evaluation(step, loss);
        done.bestLoss = Math.min(loss, done.bestLoss ?? Infinity);
        validation = loss.toFixed(3);
        if (flags.samples === 0) return;
        const text = await sampleText(model, tokenizer, flags);
        log.sample(step, text);
        bar.line(`step ${step}  validation loss ${validation}\n  ${text.replaceAll("\n", "\n  ")}`);
      },
      onSave: () => log.sync(),
    });
    bar.finish();
    report(result.reason);
    say(result, { out, begun, patience: flags.patience });
    return result;
  } catch (error) {
    bar.finish();
    if (error instanceof VitrailError) report("failed", error.message);
    throw error;
  } finally {
    device.destroy();
  }
}

/** The last words of a run. */
function say(result: TrainResult, run: { out: string; begun: number; patience: number }): void {
  const { out } = run;
  const { step, reason } = result;
  if (reason === "interrupted") {
    console.error(`Stopped at step ${step} and saved; go on with: train --out ${out} --resume`);
    // What shells expect of a program that SIGINT ended.
    Deno.exitCode = 130;
    return;
  }
  if (reason === "no improvement") {
    console.error(`Stopped at step ${step}: ${run.patience} evaluations without improvement`);
  } else if (run.begun === step) {
    console.error(`Nothing to do: ${step} steps were done; train on with --resume --steps N`);
    return;
  }
  console.error(`Wrote ${out} (model.safetensors, tokenizer.json, report.html)`);
}

/** The first Ctrl-C asks for an end, the second leaves at once. */
function onInterrupt(): Disposable & { signal: AbortSignal } {
  const abort = new AbortController();
  const listener = (): void => {
    if (abort.signal.aborted) Deno.exit(130);
    abort.abort();
    console.error("\nInterrupted: saving after this step; press Ctrl-C again to leave at once");
  };
  Deno.addSignalListener("SIGINT", listener);
  return {
    signal: abort.signal,
    [Symbol.dispose]: () => Deno.removeSignalListener("SIGINT", listener),
  };
}

function defined<T extends object>(flags: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(flags).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

/** What `training.json` holds: every flag but those about this one start. */
function settingsOf(flags: TrainFlags): object {
  const { resume: _resume, overwrite: _overwrite, config: _config, ...rest } = flags;
  return rest;
}

async function sampleText(model: Gpt, tokenizer: Tokenizer, flags: TrainFlags): Promise<string> {
  const begin = tokenizer.endOfText ?? 0;
  const [ids] = await generate(model, [begin], {
    maxNewTokens: Math.min(flags.samples, model.config.contextLength - 1),
    temperature: 0.8,
    topK: 40,
    seed: flags.seed,
    stopIds: tokenizer.endOfText === undefined ? [] : [tokenizer.endOfText],
  });
  return tokenizer.decode(ids).trim();
}
