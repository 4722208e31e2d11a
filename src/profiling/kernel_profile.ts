/**
 * A profile of the project's kernels, each in the shapes in which models use it.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { checkOptions, count } from "../formats/option_rules.ts";
import type { Device } from "../gpu/device.ts";
import type { ProfiledEvent } from "../gpu/profiler.ts";
import { kernelCases } from "./cases/all.ts";
import type { Case } from "./cases/operands.ts";
import { record, type TimedRecording } from "./record.ts";
import { measureRoof } from "./roof.ts";
import { summarize } from "./summary.ts";
import type { Profiled } from "./workloads.ts";

/** How kernels are profiled. */
export interface KernelProfileOptions {
  /** Cases whose name holds this; all if absent. */
  only?: string;
  /** Calls of each case, of which the median counts. */
  runs?: number;
  /** False leaves kernels without times where the adapter has no timestamps. */
  replay?: boolean;
  /** False leaves out the measurement of what the adapter can do. */
  roof?: boolean;
  /** Told before each case runs, and at the end, when `index` is `count`. */
  onCase?: (progress: { name: string; index: number; count: number }) => void;
}

/** Milliseconds of all that one call did. */
const milliseconds = (events: readonly ProfiledEvent[]): number =>
  events.reduce((sum, event) => sum + (event.milliseconds ?? 0), 0);

/** The call in the middle, by its time. */
export function medianCall(calls: ProfiledEvent[][]): ProfiledEvent[] {
  const sorted = calls.toSorted((a, b) => milliseconds(a) - milliseconds(b));
  return sorted[(sorted.length - 1) >> 1];
}

/** Runs a call again and again, the first time to compile it, and keeps what the median one did. */
export async function recordMedian(
  device: Device,
  call: () => void,
  options: {
    name: string;
    runs: number;
    replay?: boolean;
    again?: (event: ProfiledEvent) => () => void;
  },
): Promise<TimedRecording> {
  const { name, runs, replay, again } = options;
  checkOptions("Cannot measure a kernel", { runs }, { runs: count });
  const once = (): void => {
    using _results = device.scope();
    call();
  };
  for (let i = 0; i < 2; i++) once();
  await device.finish();
  const recording = await record(device, async (profiler) => {
    // Without timestamps a replay takes its own means, of a single call.
    for (let i = 0; i < (profiler.timed ? runs : 1); i++) {
      profiler.span(name, once);
      // Calls are to be told apart, and not to lie in wait behind one another.
      device.commands.submit();
      await device.finish();
    }
  }, { replay, again });
  const calls = [...Map.groupBy(recording.events, ({ submit }) => submit).values()];
  const chosen = medianCall(calls);
  return {
    ...recording,
    events: chosen.map((event) => ({ ...event, submit: 0 })),
    submits: [recording.submits[chosen[0].submit]],
    spans: [recording.spans[calls.indexOf(chosen)]],
  };
}

/** The recording of one case; its operands go back to the pool. */
async function recordCase(
  device: Device,
  { name, shape, prepare }: Case,
  { runs = 7, replay }: KernelProfileOptions,
): Promise<TimedRecording> {
  await device.finish();
  // The pool's shelves would otherwise keep the operands of every case before this one.
  device.pool.trim();
  using operands = device.detachedScope();
  const call = operands.run(() => prepare(device));
  return await recordMedian(device, call, { name: `${name} ${shape}`, runs, replay });
}

/**
 * Profiles every kernel; a row is one kernel of one case, with the time of the median call.
 *
 * @param cases what is profiled; the project's own kernels in sizes that suit the device, if absent
 */
export async function profileKernels(
  device: Device,
  options: KernelProfileOptions & { cases?: Case[] } = {},
): Promise<Profiled> {
  const { only = "", onCase, roof = true, cases = kernelCases(device) } = options;
  const chosen = cases.filter(({ name }) => name.includes(only));
  if (chosen.length === 0) {
    const names = new Set(cases.map(({ name }) => name.split(" ")[0]));
    throw new VitrailError(
      `Cannot profile kernels named ${only}: no case has such a name, wanted one of ` +
        [...names].join(", "),
    );
  }
  const recordings: TimedRecording[] = [];
  for (const [index, one] of chosen.entries()) {
    onCase?.({ name: one.name, index, count: chosen.length });
    recordings.push(await recordCase(device, one, options));
  }
  onCase?.({ name: "", index: chosen.length, count: chosen.length });
  const recording = joined(recordings);
  const profile = summarize(recording, {
    title: only === "" ? "every kernel" : `kernels of cases named ${only}`,
    adapter: device.description,
    unit: "round of all cases",
    units: 1,
    roof: roof ? await measureRoof(device) : undefined,
    bySpan: true,
  });
  return { profile, recording };
}

/** Several recordings as one, with the numbers of the submits counted through. */
function joined(recordings: TimedRecording[]): TimedRecording {
  const all: TimedRecording = {
    timed: true,
    timing: "timestamps",
    events: [],
    submits: [],
    spans: [],
  };
  for (const { timed, timing, events, submits, spans } of recordings) {
    const before = all.submits.length;
    all.events.push(...events.map((event) => ({ ...event, submit: event.submit + before })));
    all.submits.push(...submits);
    all.spans.push(...spans);
    Object.assign(all, { timed, timing });
  }
  return all;
}
