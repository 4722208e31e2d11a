/** What a run leaves besides its weights: metrics, samples, TensorBoard events, the report. @module */

import { metricNumber, MetricsFile, type MetricsRecord, readMetrics } from "./metrics.ts";
import { writeReport } from "./report.ts";
import type { RunPart } from "./run_record.ts";
import { EventWriter } from "./tensorboard.ts";
import type { StepFigures } from "./trainer.ts";

/** Whose log it is. */
export interface RunLogOptions {
  /** Heading of the report. */
  title: string;
  /** Settings of the run, for the report. */
  config: Record<string, unknown>;
  /** Tokens that one step trains on. */
  tokensPerStep: number;
}

/** A step as it is logged. */
export type LoggedStep = StepFigures & {
  /** Learning rate of its update. */
  learningRate: number;
};

/** Milliseconds between two reports while the run goes on. */
const REPORT_EVERY = 30_000;

/**
 * The log of a run in its directory.
 *
 * `metrics.jsonl` and `samples.jsonl` hold only what a resumed run repeats to the byte; the speed,
 * which no run repeats, goes to `speed.jsonl`. The event files and `report.html` show all three.
 *
 * @example
 * ```ts
 * import { RunLog } from "./run_log.ts";
 *
 * using log = new RunLog(Deno.makeTempDirSync(), {
 *   title: "A small run",
 *   config: { steps: 2 },
 *   tokensPerStep: 87,
 * });
 * log.begin(0);
 * log.steps([{ step: 1, loss: 5.25, gradientNorm: 1.5, learningRate: 1e-3 }], 0.25);
 * log.evaluation(1, 5.5);
 * log.report({ "validation loss": 5.5 });
 * ```
 */
export class RunLog {
  readonly #directory: string;
  readonly #options: RunLogOptions;
  readonly #metrics: MetricsFile;
  readonly #samples: MetricsFile;
  readonly #speed: MetricsFile;
  #events: EventWriter | undefined;
  #reported = performance.now();
  #trained = { steps: 0, seconds: 0 };

  /**
   * Opens the files of a directory, or makes them.
   *
   * @throws {VitrailError} when one cannot be opened
   */
  constructor(directory: string, options: RunLogOptions) {
    this.#directory = directory;
    this.#options = options;
    const open = (name: string): MetricsFile => new MetricsFile(`${directory}/${name}.jsonl`);
    [this.#metrics, this.#samples, this.#speed] = [open("metrics"), open("samples"), open("speed")];
  }

  /** Tokens a second over the steps of this process, evaluations and checkpoints not counted. */
  get tokensPerSecond(): number {
    const { steps, seconds } = this.#trained;
    return steps * this.#options.tokensPerStep / seconds;
  }

  /** Forgets what an earlier process logged beyond `step`, the step of the checkpoint or 0. */
  begin(step: number): void {
    for (const file of [this.#metrics, this.#samples, this.#speed]) file.truncateAfter(step);
    this.#events?.close();
    this.#events = new EventWriter(this.#directory, { purgeStep: step + 1 });
  }

  /** Logs steps, and how many seconds they took together. */
  steps(figures: readonly LoggedStep[], seconds: number): void {
    for (const { step, loss, learningRate, gradientNorm, terms, ...half } of figures) {
      const { lossScale, skippedSteps } = half;
      // A step that was skipped has no norm, and JSON has no infinity.
      const norm = Number.isFinite(gradientNorm);
      const scaled = lossScale !== undefined && skippedSteps !== undefined;
      this.#metrics.append({
        step,
        loss,
        learningRate,
        ...norm && { gradientNorm },
        ...scaled && { lossScale, skippedSteps },
        ...under("train", terms),
      });
      this.#events?.scalars({
        "loss/train": loss,
        "learning_rate": learningRate,
        ...norm && { "gradient_norm": gradientNorm },
        ...scaled && { "loss_scale": lossScale, "skipped_steps": skippedSteps },
        ...under("train", terms),
      }, step);
    }
    if (figures.length === 0 || !(seconds > 0)) return;
    this.#trained.steps += figures.length;
    this.#trained.seconds += seconds;
    const { step } = figures[figures.length - 1];
    const tokensPerSecond = figures.length * this.#options.tokensPerStep / seconds;
    this.#speed.append({ step, tokensPerSecond });
    this.#events?.scalars({ "tokens_per_second": tokensPerSecond }, step);
    this.#events?.flush();
  }

  /** Logs the loss on held-out text, and what else was measured on it. */
  evaluation(step: number, validationLoss: number, further: Record<string, number> = {}): void {
    this.#metrics.append({ step, validationLoss, ...under("validation", further) });
    const scalars = { "loss/validation": validationLoss, ...under("validation", further) };
    this.#events?.scalars(scalars, step);
    this.#events?.flush();
  }

  /** Logs a text that the model wrote. */
  sample(step: number, text: string): void {
    this.#samples.append({ step, text });
    this.#events?.text("samples", text, step);
    this.#events?.flush();
  }

  /** Brings all lines and events to the disk; before a checkpoint of their steps is saved. */
  sync(parts: readonly RunPart[] = []): void {
    this.#metrics.sync();
    this.#samples.sync();
    this.#events?.sync();
    if (performance.now() - this.#reported > REPORT_EVERY) {
      this.report({ status: "running" }, { parts });
    }
  }

  /**
   * What the run came to so far, whichever process did it: tokens a second over all steps, and what was
   * measured at the latest evaluation besides the loss.
   */
  latest(): { speed?: number; measured: Record<string, number> } {
    let [tokens, seconds, before] = [0, 0, 0];
    for (const { step, tokensPerSecond } of this.#read("speed")) {
      const rate = metricNumber(tokensPerSecond);
      const more = (step - before) * this.#options.tokensPerStep;
      before = step;
      if (rate === undefined || !(rate > 0) || !(more > 0)) continue;
      tokens += more;
      seconds += more / rate;
    }
    const last = this.#read("metrics").findLast((record) => "validationLoss" in record);
    const measured = Object.entries(last ?? {})
      .map(([name, value]) => [name, metricNumber(value)] as const)
      .filter(([name, value]) => name.startsWith("validation/") && value !== undefined)
      .map(([name, value]) => [name.replace("validation/", ""), value!]);
    return {
      ...seconds > 0 && { speed: tokens / seconds },
      measured: Object.fromEntries(measured),
    };
  }

  /**
   * Writes `report.html`, with results in a few words for its top, why the run failed if so, and what each
   * part of it was asked.
   */
  report(
    figures: Record<string, string | number>,
    { notice, parts = [] }: { notice?: string; parts?: readonly RunPart[] } = {},
  ): void {
    writeReport(`${this.#directory}/report.html`, {
      title: this.#options.title,
      config: this.#options.config,
      records: [...this.#read("metrics"), ...this.#read("speed")],
      samples: this.#read("samples").map(({ step, text }) => ({ step, text: String(text) })),
      figures,
      notice,
      parts,
    });
    this.#reported = performance.now();
  }

  #read(name: string): MetricsRecord[] {
    return readMetrics(`${this.#directory}/${name}.jsonl`);
  }

  /** Closes all files; a second call does nothing. */
  close(): void {
    for (const file of [this.#metrics, this.#samples, this.#speed]) file.close();
    this.#events?.close();
    this.#events = undefined;
  }

  /** The same as {@linkcode RunLog.close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Figures named as in TensorBoard, such as `validation/accuracy`. */
function under(group: string, figures: Record<string, number> = {}): Record<string, number> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [`${group}/${name}`, value]),
  );
}
