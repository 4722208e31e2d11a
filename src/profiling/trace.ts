/**
 * A recording in the trace-event format that Perfetto and Chrome's tracing page open: the host's track
 * and the device's, on one clock.
 *
 * Format: "Trace Event Format" (Chromium project), complete events (`ph: "X"`) and metadata (`"M"`).
 *
 * @module
 */
import type { Recording, Stretch } from "../gpu/profiler.ts";
import { workOf } from "../kernels/work.ts";

/** One event of a trace. */
export interface TraceEvent {
  /** What is shown. */
  name: string;
  /** `X`: something that took time; `M`: the name of a process or track. */
  ph: "X" | "M";
  /** Microseconds from the first event. */
  ts: number;
  /** Microseconds that it took. */
  dur?: number;
  /** Process. */
  pid: number;
  /** Track. */
  tid: number;
  /** By which a viewer filters. */
  cat?: string;
  /** What a viewer shows of it when it is chosen. */
  args: Record<string, unknown>;
}

/** A trace file's contents. */
export interface Trace {
  /** All events, by their times. */
  traceEvents: TraceEvent[];
  /** The unit in which a viewer shows them. */
  displayTimeUnit: "ms";
}

const PROCESS = 1;
const [HOST, DEVICE] = [1, 2];

/** Puts a recording into the trace-event format. */
export function traceOf(recording: Recording, adapter: string): Trace {
  const { events, submits, spans } = recording;
  const all: Stretch[] = [
    ...spans,
    ...submits,
    ...events.map(({ host }) => host),
    ...events.flatMap(({ gpu }) => gpu ?? []),
  ];
  const zero = all.reduce((least, { begin }) => Math.min(least, begin), Infinity);
  const shown = (
    name: string,
    tid: number,
    stretch: Stretch,
    rest: { cat: string; args?: Record<string, unknown> },
  ): TraceEvent => ({
    name,
    ph: "X",
    ts: (stretch.begin - zero) * 1000,
    dur: (stretch.end - stretch.begin) * 1000,
    pid: PROCESS,
    tid,
    cat: rest.cat,
    args: rest.args ?? {},
  });
  const timed = [
    ...spans.map((span) => shown(span.name, HOST, span, { cat: "span" })),
    ...submits.map((submit, i) => shown(`submit ${i + 1}`, HOST, submit, { cat: "submit" })),
    ...events.flatMap((event) => {
      const { name, host, gpu, uniforms, overrides, workgroups, submit } = event;
      const work = workOf(name, event);
      const args = { uniforms, overrides, workgroups, submit: submit + 1, ...work };
      const encoded = shown(name, HOST, host, { cat: "encode" });
      return gpu ? [encoded, shown(name, DEVICE, gpu, { cat: "device", args })] : [encoded];
    }),
    // What encloses others comes first where both begin together.
  ].sort((a, b) => a.ts - b.ts || b.dur! - a.dur!);
  const named = (name: string, tid: number, value: string): TraceEvent => ({
    name,
    ph: "M",
    ts: 0,
    pid: PROCESS,
    tid,
    args: { name: value },
  });
  return {
    displayTimeUnit: "ms",
    traceEvents: [
      named("process_name", HOST, "Vitrail"),
      named("thread_name", HOST, "host: encodes and submits"),
      named("thread_name", DEVICE, `device: ${adapter}`),
      ...timed,
    ],
  };
}
