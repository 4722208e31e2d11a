/**
 * A training run as people see it: bar, log, report, Ctrl-C, and the last words.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { modelLabels } from "../models/sequence_classifier.ts";
import { checkpointStep, removeCheckpoint } from "../training/checkpoint.ts";
import type { Evaluation } from "../training/evaluate.ts";
import { train, type TrainResult, type TrainSettings } from "../training/loop.ts";
import { describeSkip } from "../training/precision.ts";
import { ProgressBar } from "../training/progress.ts";
import { words } from "../training/report_series.ts";
import { RunLog } from "../training/run_log.ts";
import { completeRun, removeHistory, RunRecord, writeSettings } from "../training/run_record.ts";
import type { Task } from "../training/task.ts";
import { Interrupt } from "./interrupt.ts";
import { claimDirectory, MODEL_DIRECTORY, removeFiles, samePlace } from "./output.ts";
import { printNotice } from "./printer.ts";
import { guardRun, type RunFlags, settle, storedFlags } from "./run_flags.ts";
import { tuneFor } from "./tuning.ts";

/** What is trained and what is told of it. */
export interface TaskRun<B> {
  /** Model and objective. */
  task: Task<B>;
  /** Rates and rhythm. */
  settings: TrainSettings;
  /** The n-th micro-batch. */
  batchAt: (index: number) => B;
  /** Batches of held-out examples. */
  validation?: () => Iterable<B>;
  /** Settings shown in the report, such as the model's sizes. */
  config: Record<string, unknown>;
  /** Tokens, or examples, in a step, for the rate. */
  tokensPerStep: number;
  /** What else is measured at an evaluation, by name; logged beside the loss and shown. */
  measure?: (step: number, evaluation: Evaluation) => Promise<Record<string, number>>;
  /** Which of these decides the best evaluation, the highest being best; the loss if absent. */
  best?: string;
  /** A text to show and to keep after an evaluation. */
  sample?: (step: number) => Promise<string | undefined>;
  /** The command's name, by which an interrupted run goes on. */
  command: string;
  /** What the last line says was written. */
  wrote: string;
}

/** Whether a run goes on from a checkpoint, rather than beginning. */
export function goesOn({ out, resume }: RunFlags): boolean {
  return Boolean(resume) && checkpointStep(out) !== undefined;
}

/**
 * Labels of the model that a run goes on with, or begins with: a head that was trained keeps the order of
 * its outputs.
 */
export function ownLabels(flags: RunFlags, base: string | undefined): string[] {
  const own = goesOn(flags) ? flags.out : base;
  return own === undefined ? [] : modelLabels(own);
}

/**
 * What a command that trains does: its flags are settled, a run that has come to its end is left as it is, and
 * one that comes to its end is marked so, when all that `run` does is done.
 */
export async function trainAction<Flags extends RunFlags & { data: string }>(
  command: Command,
  run: (flags: Flags) => Promise<unknown>,
): Promise<void> {
  const { flags, done } = settle<Flags>(command);
  if (done !== undefined) return printNotice(done);
  await run(flags);
  if (!flags.dryRun) completeRun(flags.out);
}

/**
 * Claims the directory of a run, before anything is put into it. One that begins has its flags put on record;
 * one that goes on has them when it has done a step.
 *
 * @returns whether there is a checkpoint to go on from
 * @throws {VitrailError} if another process writes there, or something would be replaced
 */
export function beginRun(flags: RunFlags): boolean {
  const { out } = flags;
  claimDirectory(out, { replaces: [] });
  // Once more: another process may have been there since the flags were settled.
  guardRun(flags);
  const resume = goesOn(flags);
  if (!resume) {
    removeCheckpoint(out);
    removeHistory(out);
    // Of the run before: this one may be interrupted before it writes its own.
    removeFiles(out, ["evaluation.json", "report.html"]);
    // What another model left would speak beside the new one; but one that the run begins with is needed.
    const { out: _, ...others } = storedFlags(flags);
    const needed = Object.values(others).some((v) => typeof v === "string" && samePlace(v, out));
    if (!needed) removeFiles(out, MODEL_DIRECTORY);
    writeSettings(out, storedFlags(flags));
  }
  return resume;
}

/** Trains, shows how it goes, and writes the report. */
export async function runTask<B>(
  flags: RunFlags,
  run: TaskRun<B> & { resume: boolean },
): Promise<TrainResult> {
  const { out, patience, tune } = flags;
  const { settings, task } = run;
  const record = new RunRecord(out, storedFlags(flags));
  using log = new RunLog(out, {
    title: `Training ${out}`,
    config: { ...settings, ...run.config },
    tokensPerStep: run.tokensPerStep,
  });
  using bar = new ProgressBar({ total: settings.steps, label: "train" });
  using interrupt = new Interrupt("saving after this step");
  let shown: Record<string, string> = {};
  let done: Partial<TrainResult> = {};
  const report = (status: string, notice?: string): void => {
    // Of all steps, whichever process did them: a report that is written again says the same.
    const { speed, measured } = log.latest();
    log.report({
      "status": status,
      ...done.step === undefined ? {} : { "steps": done.step },
      ...done.bestLoss == null ? {} : { "best validation loss": done.bestLoss },
      ...run.best === undefined || done.bestScore === undefined
        ? {}
        : { [`best ${words(run.best)}`]: done.bestScore },
      ...speed === undefined ? {} : { "tokens per second": Math.round(speed) },
      ...Object.fromEntries(
        Object.entries(measured).map(([name, value]) => [words(name), value.toFixed(3)]),
      ),
    }, { notice, parts: record.parts });
  };
  try {
    const result = done = await train(task, settings, {
      batchAt: run.batchAt,
      validation: run.validation,
      directory: out,
      resume: run.resume,
      signal: interrupt.signal,
      onNotice: (text) => printNotice(text),
      tune: (rehearsal) => tuneFor(task.device, rehearsal, { tune }),
      onStart: ({ step, bestLoss, bestScore }) => {
        Object.assign(done, { bestLoss, bestScore });
        done.step = step;
        record.begin(step);
        log.begin(step);
        bar.begin(step);
      },
      onSteps: (figures, seconds) => {
        log.steps(figures, seconds);
        const { step, loss, skippedSteps } = figures.at(-1)!;
        done.step = step;
        record.done(step);
        for (const skip of figures.filter(({ skipped }) => skipped)) bar.line(describeSkip(skip));
        bar.update(step, {
          loss: loss.toFixed(3),
          ...skippedSteps ? { skipped: skippedSteps } : {},
          ...shown,
          "tok/s": Math.round(log.tokensPerSecond),
        });
      },
      onEvaluation: async (step, evaluation) => {
        const measured = await run.measure?.(step, evaluation) ?? {};
        log.evaluation(step, evaluation.loss, { ...evaluation.terms, ...measured });
        done.bestLoss = Math.min(evaluation.loss, done.bestLoss ?? Infinity);
        const figures = Object.entries({ val: evaluation.loss, ...evaluation.terms, ...measured });
        shown = Object.fromEntries(figures.map(([name, value]) => [name, value.toFixed(3)]));
        const text = await run.sample?.(step);
        if (text !== undefined) {
          log.sample(step, text);
          const words = Object.entries({ ...shown, val: undefined })
            .map(([name, value]) => value && `  ${name} ${value}`).join("");
          const head = `step ${step}  validation loss ${evaluation.loss.toFixed(3)}${words}`;
          bar.line(`${head}\n  ${text.replaceAll("\n", "\n  ")}`);
        }
        return run.best === undefined ? undefined : measured[run.best];
      },
      onSave: () => {
        record.save();
        log.sync(record.parts);
      },
    });
    bar.finish();
    record.end(result.reason);
    report(result.reason);
    say(result, { ...run, out, patience });
    if (result.reason === "interrupted") Deno.exitCode = interrupt.code!;
    return result;
  } catch (error) {
    bar.finish();
    try {
      if (error instanceof VitrailError) report("failed", error.message);
    } catch {
      // On a full disk there is no report either; the first fault is the one to tell.
    }
    throw error;
  }
}

/** The last words of a run. */
function say(
  result: TrainResult,
  run: { out: string; patience: number; command: string; wrote: string },
): void {
  const { out } = run;
  const { step, reason } = result;
  if (reason === "interrupted") {
    printNotice(
      `Stopped at step ${step} and saved; go on with: ${run.command} --out ${out} --resume`,
    );
    return;
  }
  if (reason === "no improvement") {
    printNotice(`Stopped at step ${step}: ${run.patience} evaluations without improvement`);
  }
  printNotice(`Wrote ${out} (${run.wrote})`);
}
