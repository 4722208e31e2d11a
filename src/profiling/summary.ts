/**
 * From a recording to figures: one row a kernel, and the host's time beside the device's.
 *
 * @module
 */
import type { ProfiledEvent } from "../gpu/profiler.ts";
import { type Work, workOf } from "../kernels/work.ts";
import type { TimedRecording, Timing } from "./record.ts";
import { leastMilliseconds, type Roof } from "./roof.ts";
import { type ShaderFacts, shaderFacts } from "./shader_facts.ts";

/** Figures of one kernel; what nobody measured or counted is absent. */
export interface KernelRow {
  /** `shader.entry`, the name of a copy, or what the caller called it. */
  kernel: string;
  /** For what it was called, where a profile holds several cases: a name, and sizes in words. */
  case?: string;
  /** Calls in one unit of the workload. */
  calls: number;
  /** Milliseconds in one unit. */
  milliseconds?: number;
  /** Milliseconds of one unit in which the host encoded it, the profiler's own share among them. */
  host: number;
  /** Part of the time of all kernels. */
  share?: number;
  /** Operations in one unit. */
  flops?: number;
  /** Bytes in one unit. */
  bytes?: number;
  /** 10⁹ operations a second. */
  gflops?: number;
  /** 10⁹ bytes a second. */
  gigabytes?: number;
  /** Operations for each byte. */
  intensity?: number;
  /** The time under the roof over the time it took; above 1 for what lives in the caches. */
  roofShare?: number;
  /** What it binds, its workgroup's size and memory; none of a copy. */
  shader?: ShaderFacts;
}

/** A workload's figures. */
export interface Profile {
  /** What was profiled, in words. */
  title: string;
  /** The adapter's own name. */
  adapter: string;
  /** Where the times come from. */
  timing: Timing;
  /** What the figures are for one of: `step`, `token`, `call`. */
  unit: string;
  /** How many were recorded. */
  units: number;
  /** What the adapter can do. */
  roof?: Roof;
  /** Milliseconds of one unit without the profiler, from the host's first call to the device's end. */
  wall?: number;
  /** Milliseconds in which the host worked on one, with nothing to wait for. */
  host?: number;
  /** Milliseconds of one unit, with the profiler, in which the host handed over what it had encoded. */
  submit: number;
  /** Milliseconds of one unit on the device, with the profiler: last end less first beginning. */
  gpu?: number;
  /** Dispatches of one unit. */
  dispatches: number;
  /** Slowest first. */
  kernels: KernelRow[];
}

/** What a summary cannot know from the recording. */
export interface SummaryOptions {
  /** What was profiled, in words. */
  title: string;
  /** The adapter's own name. */
  adapter: string;
  /** What the figures are for one of. */
  unit: string;
  /** How many were recorded. */
  units: number;
  /** What the adapter can do; without it no share of it is told. */
  roof?: Roof;
  /** Milliseconds of one unit without the profiler. */
  wall?: number;
  /** Milliseconds in which the host worked on one, with nothing to wait for. */
  host?: number;
  /** Whether rows are told apart by the span, too, in which the host called them. */
  bySpan?: boolean;
  /** What a dispatch must do; of the project's kernels, if absent, what `work.ts` says. */
  work?: (event: ProfiledEvent) => Partial<Work> | undefined;
}

/** Milliseconds from the first beginning to the last end of each submit, summed. */
export function deviceMilliseconds(events: readonly ProfiledEvent[]): number | undefined {
  const timed = events.filter(({ gpu }) => gpu);
  if (timed.length === 0) return undefined;
  let sum = 0;
  for (const together of Map.groupBy(timed, ({ submit }) => submit).values()) {
    const begin = together.reduce((least, { gpu }) => Math.min(least, gpu!.begin), Infinity);
    const end = together.reduce((most, { gpu }) => Math.max(most, gpu!.end), -Infinity);
    sum += end - begin;
  }
  return sum;
}

/** Adds a figure of all events, or nothing if one of them has none. */
function total(values: (number | undefined)[]): number | undefined {
  return values.reduce((sum, n) => sum === undefined || n === undefined ? undefined : sum + n, 0);
}

/** What a row needs beside its events. */
interface RowOptions extends Pick<SummaryOptions, "units" | "roof" | "work" | "bySpan"> {
  /** Milliseconds of all kernels. */
  all: number | undefined;
}

function rowOf(events: ProfiledEvent[], options: RowOptions): KernelRow {
  const { units, roof, all, bySpan } = options;
  const { work = (event: ProfiledEvent) => workOf(event.name, event) } = options;
  const each = (n: number | undefined): number | undefined => n === undefined ? n : n / units;
  const works = events.map(work);
  const spent = total(events.map(({ milliseconds }) => milliseconds));
  const flops = total(works.map((work) => work?.flops));
  const bytes = total(works.map((work) => work?.bytes));
  const rate = (n: number | undefined) => n === undefined || !spent ? undefined : n / spent / 1e6;
  const known = flops !== undefined && bytes !== undefined;
  const { name, span, kernel: shader, entryPoint, overrides } = events[0];
  return {
    kernel: name,
    ...bySpan && { case: span },
    calls: events.length / units,
    milliseconds: each(spent),
    host: events.reduce((sum, { host }) => sum + host.end - host.begin, 0) / units,
    share: spent === undefined || !all ? undefined : spent / all,
    flops: each(flops),
    bytes: each(bytes),
    gflops: rate(flops),
    gigabytes: rate(bytes),
    intensity: known && bytes > 0 ? flops / bytes : undefined,
    roofShare: known && roof && spent
      ? works.reduce((sum, work) => sum + leastMilliseconds(work as Work, roof), 0) / spent
      : undefined,
    shader: shader && shaderFacts(shader, entryPoint, overrides),
  };
}

/** Gathers a recording's events into rows, the slowest first. */
export function summarize(recording: TimedRecording, options: SummaryOptions): Profile {
  const { bySpan, work, ...given } = options;
  const { events, timing, submits } = recording;
  const { units, roof } = options;
  const all = total(events.map(({ milliseconds }) => milliseconds));
  const gpu = deviceMilliseconds(events);
  const kinds = Map.groupBy(events, ({ name, span }) => bySpan ? `${name} ${span}` : name);
  const kernels = [...kinds.values()]
    .map((alike) => rowOf(alike, { units, roof, all, work, bySpan }))
    .sort((a, b) => (b.milliseconds ?? b.calls) - (a.milliseconds ?? a.calls));
  return {
    ...given,
    timing,
    submit: submits.reduce((sum, { begin, end }) => sum + end - begin, 0) / units,
    gpu: gpu === undefined ? undefined : gpu / units,
    dispatches: events.filter(({ kernel }) => kernel).length / units,
    kernels,
  };
}
