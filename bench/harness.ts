/**
 * How a kernel is timed: warmed up, dispatched many times to a single read-back, and again, with the
 * cost of the read-back itself (11 ms under Deno, however little is read) measured and taken off. What
 * a call must do is counted by `src/kernels/work.ts` from its dispatches.
 *
 * @module
 */
import type { Device } from "../src/gpu/device.ts";
import { type Work, workOf } from "../src/kernels/work.ts";
import type { Case } from "../src/profiling/cases/operands.ts";
import { record } from "../src/profiling/record.ts";
import { leastMilliseconds, type Roof } from "../src/profiling/roof.ts";

export { type Case, seededNumbers } from "../src/profiling/cases/operands.ts";

/** What a case reached. */
export interface Result {
  /** Kernel and pass. */
  name: string;
  /** Sizes in words. */
  shape: string;
  /** Median time of one call. */
  milliseconds: number;
  /** Calls to one read-back. */
  calls: number;
  /** 10⁹ operations a second. */
  gflops: number;
  /** 10⁹ bytes a second. */
  gigabytes: number;
  /** The time that its dispatches would take under the adapter's roof, by the time they took. */
  roofShare: number;
  /** (largest - smallest) / median over the runs: how far to trust the figure. */
  spread: number;
}

/** How long and how often to measure. */
export interface MeasureOptions {
  /** Runs, of which the median counts. */
  runs?: number;
  /** Milliseconds of work in one run, at least: far more than the read-back costs. */
  atLeast?: number;
}

/** Calls in one run, at most: beyond it a call is too short to be measured apart from its launch. */
const MAX_CALLS = 4096;

/** The middle of an odd number of figures, or the mean of the two in the middle. */
export function median(figures: number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Milliseconds that a read-back costs when there is nothing to wait for. */
export async function readBackFloor(device: Device): Promise<number> {
  using scope = device.detachedScope();
  const probe = scope.run(() => device.zeros([1]));
  const times: number[] = [];
  await probe.read();
  for (let i = 0; i < 9; i++) {
    // An idle device answers sooner than a submit does: one small command stands in for the work.
    device.commands.clear(probe.buffer);
    const begun = performance.now();
    await probe.read();
    times.push(performance.now() - begun);
  }
  return median(times);
}

/** What the kernels of one call must do, together. */
async function workOfCall(
  device: Device,
  call: () => void,
  roof: Roof,
): Promise<Work & { least: number }> {
  const { events } = await record(device, () => {
    using _results = device.scope();
    call();
  }, { replay: false });
  const works = events.map((event) => workOf(event.name, event) ?? { flops: NaN, bytes: NaN });
  return {
    flops: works.reduce((sum, { flops }) => sum + flops, 0),
    bytes: works.reduce((sum, { bytes }) => sum + bytes, 0),
    least: works.reduce((sum, work) => sum + leastMilliseconds(work, roof), 0),
  };
}

/** Times one case; everything that it allocates goes back to the pool. */
export async function measure(
  device: Device,
  { name, shape, prepare }: Case,
  options: MeasureOptions & { floor: number; roof: Roof },
): Promise<Result> {
  const { runs = 5, atLeast = 100, floor, roof } = options;
  // The pool's shelves would otherwise keep the operands of every case before this one.
  await device.finish();
  device.pool.trim();
  using operands = device.detachedScope();
  const call = operands.run(() => prepare(device));
  const probe = operands.run(() => device.zeros([1]));
  const timed = async (calls: number): Promise<number> => {
    const begun = performance.now();
    for (let i = 0; i < calls; i++) {
      using _results = device.scope();
      call();
    }
    await probe.read();
    return performance.now() - begun - floor;
  };
  await timed(1);
  const { flops, bytes, least } = await workOfCall(device, call, roof);
  let calls = 1;
  for (let took = await timed(calls); took < atLeast && calls < MAX_CALLS;) {
    const factor = took > 0 ? Math.min(8, Math.max(2, 1.2 * atLeast / took)) : 8;
    calls = Math.min(MAX_CALLS, Math.ceil(calls * factor));
    took = await timed(calls);
  }
  const times: number[] = [];
  for (let i = 0; i < runs; i++) times.push(await timed(calls) / calls);
  const milliseconds = median(times);
  return {
    name,
    shape,
    milliseconds,
    calls,
    gflops: flops / milliseconds / 1e6,
    gigabytes: bytes / milliseconds / 1e6,
    roofShare: least / milliseconds,
    spread: (Math.max(...times) - Math.min(...times)) / milliseconds,
  };
}

/** Rows under a heading; the first column to the left, the others to the right. */
export function formatTable(heading: string[], rows: string[][]): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, c) => Math.max(...all.map((row) => [...row[c]].length)));
  const line = (row: string[]): string =>
    row.map((cell, c) => c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c])).join("  ");
  return [line(heading), widths.map((w) => "-".repeat(w)).join("  "), ...rows.map(line)].join("\n");
}
