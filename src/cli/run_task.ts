/**
 * A training run as people see it: bar, log, report, Ctrl-C, and the last words.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { modelLabels } from "../models/sequence_classifier.ts";
import { checkpointStep, removeCheckpoint, removeLeftovers } from "../training/checkpoint.ts";
import type { Evaluation } from "../training/evaluate.ts";
import { train, type TrainResult, type TrainSettings } from "../training/loop.ts";
import { describeSkip } from "../training/precision.ts";
import { ProgressBar } from "../training/progress.ts";
import { words } from "../training/report_series.ts";
import { RunLog } from "../training/run_log.ts";
import type { Task } from "../training/task.ts";
import { makeOutput } from "./output.ts";
import { printNotice } from "./printer.ts";
import { type RunFlags, storedFlags } from "./run_flags.ts";
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
 * Makes or tidies the directory of a run, before anything is put into it, and keeps its flags there.
 *
 * @returns whether there is a checkpoint to go on from
 */
export function beginRun(flags: RunFlags): boolean {
  const { out } = flags;
  const resume = goesOn(flags);
  if (!resume) {
    makeOutput(out);
    removeCheckpoint(out);
  }
  removeLeftovers(out);
  writeFileAtomic(`${out}/training.json`, JSON.stringify(storedFlags(flags), null, 2) + "\n");
  return resume;
}

/** Trains, shows how it goes, and writes the report. */
export async function runTask<B>(
  { out, patience, tune }: RunFlags,
  run: TaskRun<B> & { resume: boolean },
): Promise<TrainResult> {
  const { settings, task } = run;
  using log = new RunLog(out, {
    title: `Training ${out}`,
    config: { ...settings, ...run.config },
    tokensPerStep: run.tokensPerStep,
  });
  using bar = new ProgressBar({ total: settings.steps, label: "train" });
  using interrupt = onInterrupt();
  let begun = 0;
  let shown: Record<string, string> = {};
  let done: Partial<TrainResult> = {};
  const report = (status: string, notice?: string): void => {
    const speed = log.tokensPerSecond;
    const { val: _, ...measured } = shown;
    log.report({
      "status": status,
      ...done.step === undefined ? {} : { "steps": done.step },
      ...done.bestLoss == null ? {} : { "best validation loss": done.bestLoss },
      ...run.best === undefined || done.bestScore === undefined
        ? {}
        : { [`best ${words(run.best)}`]: done.bestScore },
      ...Number.isFinite(speed) ? { "tokens per second": Math.round(speed) } : {},
      ...Object.fromEntries(Object.entries(measured).map(([name, v]) => [words(name), v])),
    }, notice);
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
        begun = step;
        log.begin(step);
        bar.begin(step);
      },
      onSteps: (figures, seconds) => {
        log.steps(figures, seconds);
        const { step, loss, skippedSteps } = figures.at(-1)!;
        done.step = step;
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
      onSave: () => log.sync(),
    });
    bar.finish();
    report(result.reason);
    say(result, { ...run, out, begun, patience });
    return result;
  } catch (error) {
    bar.finish();
    if (error instanceof VitrailError) report("failed", error.message);
    throw error;
  }
}

/** The last words of a run. */
function say(
  result: TrainResult,
  run: { out: string; begun: number; patience: number; command: string; wrote: string },
): void {
  const { out } = run;
  const { step, reason } = result;
  if (reason === "interrupted") {
    printNotice(
      `Stopped at step ${step} and saved; go on with: ${run.command} --out ${out} --resume`,
    );
    // What shells expect of a program that SIGINT ended.
    Deno.exitCode = 130;
    return;
  }
  if (reason === "no improvement") {
    printNotice(`Stopped at step ${step}: ${run.patience} evaluations without improvement`);
  } else if (run.begun === step) {
    printNotice(`Nothing to do: ${step} steps were done; train on with --resume --steps N`);
    return;
  }
  printNotice(`Wrote ${out} (${run.wrote})`);
}

/** The first Ctrl-C asks for an end, the second leaves at once. */
function onInterrupt(): Disposable & { signal: AbortSignal } {
  const abort = new AbortController();
  const listener = (): void => {
    if (abort.signal.aborted) Deno.exit(130);
    abort.abort();
    printNotice("\nInterrupted: saving after this step; press Ctrl-C again to leave at once");
  };
  Deno.addSignalListener("SIGINT", listener);
  return {
    signal: abort.signal,
    [Symbol.dispose]: () => Deno.removeSignalListener("SIGINT", listener),
  };
}
