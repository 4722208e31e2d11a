/**
 * `--dry-run`: what a run would take, in words.
 *
 * @module
 */
import { type Device, openDevice } from "../gpu/device.ts";
import { largestBatch, planStep, type StepBuilder, type StepPlan } from "../profiling/step_plan.ts";
import { measureStep, type StepTime } from "../profiling/step_time.ts";
import { figure } from "../profiling/table.ts";
import type { TrainSettings } from "../training/loop.ts";
import { formatDuration } from "../training/progress_format.ts";
import { print } from "./printer.ts";

/** A run that is only looked at. */
export interface PlannedRun<B> {
  /** The model's sizes in words. */
  title: string;
  /** Sequences in a micro-step. */
  batch: number;
  /** Tokens in a sequence. */
  sequence: number;
  /** Bytes that it may take, where the user knows. */
  memory?: number;
  /** Rates and rhythm. */
  settings: TrainSettings;
  /** Makes model and batch on a device. */
  build: StepBuilder<B>;
  /** Whether steps are run and timed; they are if absent. */
  time?: boolean;
  /** Batches of an evaluation, where they are known ahead. */
  evaluateBatches?: number;
}

const number = (n: number): string => n.toLocaleString("en");
const megabytes = (bytes: number): string => `${number(Number((bytes / 1e6).toFixed(1)))} MB`;

/** Lines of a name and a figure, the figures one below the other. */
function columns(rows: readonly (readonly [name: string, value: string])[]): string {
  const [names, values] = [0, 1].map((i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map(([name, value]) => `${name.padEnd(names)}  ${value.padStart(values)}`).join("\n");
}

/**
 * Prints what a step takes, and how large a batch may be; the exit code is 1 if the run does not fit. A
 * device is opened for it if none is given.
 */
export async function tellPlan<B>(run: PlannedRun<B>, given?: Device): Promise<void> {
  const { title, batch, sequence, memory, settings, build } = run;
  const { accumulation } = settings;
  const device = given ?? await openDevice();
  try {
    print(`${title}, T ${sequence}, on ${device.description}`);
    const micro = accumulation === 1 ? "" : `${accumulation} micro-steps of `;
    const tokens = number(accumulation * batch * sequence);
    print(`${tokens} tokens a step: ${micro}${batch} sequences of ${sequence}\n`);
    const plan = await planStep(device, build, { ...settings, batch });
    print(describe(plan));
    const tooMuch = memory !== undefined && plan.reserved > memory;
    if (plan.obstacle ?? tooMuch) {
      print(`\nDoes not fit: ${plan.obstacle ?? `more than ${megabytes(memory!)}`}`);
      Deno.exitCode = 1;
    } else if (run.time ?? true) {
      const time = await measureStep(device, build, { ...settings, batch, flops: plan.flops });
      print(`\n${describeTime(time, run)}`);
    }
    const most = await largestBatch(device, build, { ...settings, memory });
    print(
      most.plan
        ? `\nLargest batch: ${most.batch}, which takes ${megabytes(most.plan.reserved)}. ` +
          `One more: ${most.reason}`
        : `\nNot even one sequence fits: ${most.reason}`,
    );
    if (memory === undefined) {
      print(
        "What limits it is the adapter's largest buffer; WebGPU does not tell how much memory there " +
          "is: say so with --memory GB",
      );
    }
  } finally {
    if (!given) device.destroy();
  }
}

/** How long a run takes on this machine, in words. */
function describeTime<B>(time: StepTime, { settings, evaluateBatches }: PlannedRun<B>): string {
  const { steps, evaluateEvery } = settings;
  const { seconds, evaluation } = time;
  const how = time.steps === 0
    ? "by its arithmetic and the speed of a product here: too long to be measured"
    : `measured over ${time.steps} here`;
  const all = `A step takes ${formatSeconds(seconds)}, ${how}; ${number(steps)} steps take about ` +
    `${formatDuration(steps * seconds)}`;
  if (evaluation === undefined) return `${all}, and evaluations some more`;
  const evaluations = Math.ceil(steps / evaluateEvery);
  return evaluateBatches === undefined
    ? `${all}, and each of ${evaluations} evaluations ${formatSeconds(evaluation)} per batch`
    : `${all}, and ${evaluations} evaluations of ${evaluateBatches} batches up to ` +
      formatDuration(evaluations * evaluateBatches * evaluation);
}

/** Ids as a text might have them: a step over a single one would take another time. */
export function variedIds(count: number, vocabularySize: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, i) => 31 * i % vocabularySize);
}

/** Seconds with their unit. */
export const formatSeconds = (seconds: number): string =>
  seconds < 1
    ? `${(1000 * seconds).toPrecision(3)} ms`
    : seconds < 100
    ? `${seconds.toPrecision(3)} s`
    : formatDuration(seconds);

function describe(plan: StepPlan): string {
  const { parameters, trained, flops, dispatches, memory, logits, reserved } = plan;
  const { total, ...kinds } = memory;
  const words = (kind: string, bytes: number): string =>
    kind === "logits" && bytes < logits ? `logits (${megabytes(logits)} at another time)` : kind;
  return columns([
    ["parameters", number(parameters)],
    ...trained === parameters ? [] : [["  trained", number(trained)] as const],
    ["a step, forward, backward and update", `${figure(flops / 1e9)} GFLOP`],
    ["  dispatches", number(dispatches)],
    ["memory, when most is in use", megabytes(total)],
    ...Object.entries(kinds).map(([kind, bytes]) =>
      [`  ${words(kind, bytes)}`, megabytes(bytes)] as const
    ),
    ["taken from the adapter, for use again", megabytes(reserved)],
  ]);
}
