/**
 * The stopwatch of the command stream. While one is attached, every dispatch gets a compute pass of its
 * own that writes a timestamp at either end, and copies stand between two empty passes that do. Nothing
 * waits: timestamps are resolved with each submit and read at the end.
 *
 * @module
 */
import type { Device } from "./device.ts";
import type { DispatchArguments } from "./dispatch.ts";
import type { Kernel } from "./kernel.ts";
import type { Overrides } from "./pipelines.ts";

/** A stretch of time in milliseconds, on the clock of `performance.now()`. */
export interface Stretch {
  /** When it began. */
  begin: number;
  /** When it ended. */
  end: number;
}

/** One thing that the device was told to do: a dispatch, or a copy. */
export interface ProfiledEvent {
  /** `shader.entry`; or `copy`, `clear`, `upload`, `copy to texture`. */
  name: string;
  /** The shader; none of a copy. */
  kernel?: Kernel;
  /** Its entry point. */
  entryPoint: string;
  /** Values of the uniform struct. */
  uniforms: Record<string, number>;
  /** Values of the overrides that were given. */
  overrides: Overrides;
  /** Workgroups in x, y and z. */
  workgroups: [number, number, number];
  /** Bytes of the tensors that are bound, by the shader's names; of a copy, what it moves. */
  bound: Record<string, number>;
  /** Names that are bound to f16: tensors, and textures that hold it. */
  halves: readonly string[];
  /** Number of the submit that carried it. */
  submit: number;
  /** When the host encoded it. */
  host: Stretch;
  /** Innermost of the stretches that the caller named. */
  span?: string;
  /** When the device ran it, on the host's clock; absent where the adapter has no timestamps. */
  gpu?: Stretch;
  /** How long the device took; absent where nobody measured it. */
  milliseconds?: number;
}

/** All that was seen between attaching and reading. */
export interface Recording {
  /** Whether the adapter told when things ran. */
  timed: boolean;
  /** Dispatches and copies in the order of the stream. */
  events: ProfiledEvent[];
  /** When the host handed over each submit. */
  submits: Stretch[];
  /** Stretches that the caller named, such as steps. */
  spans: (Stretch & { name: string })[];
}

/** Timestamps in one set: the most that WebGPU allows. */
const QUERIES = 4096;

/** Watches a device's command stream; {@linkcode attachProfiler} is the way in. */
export class Profiler {
  /** Whether the adapter tells when things run. */
  readonly timed: boolean;
  readonly #device: Device;
  readonly #queries: GPUQuerySet | undefined;
  readonly #resolved: GPUBuffer | undefined;
  readonly #readBacks: { buffer: GPUBuffer; events: ProfiledEvent[] }[] = [];
  #recording: Recording;
  #pending: ProfiledEvent[] = [];
  #submitBegun = 0;
  #span: string | undefined;

  /** Makes the query set, if the device has timestamps. */
  constructor(device: Device) {
    const { raw } = device;
    this.#device = device;
    this.timed = raw.features.has("timestamp-query");
    this.#recording = this.#fresh();
    if (!this.timed) return;
    this.#queries = raw.createQuerySet({ label: "profiler", type: "timestamp", count: QUERIES });
    this.#resolved = raw.createBuffer({
      label: "profiler",
      size: QUERIES * 8,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
  }

  /** Whether the stream must be submitted before anything more is timed. */
  get full(): boolean {
    return this.#pending.length >= QUERIES / 2;
  }

  /** Names what the host does during `work`, such as a step. */
  span<T>(name: string, work: () => T): T {
    const [begin, outer] = [performance.now(), this.#span];
    this.#span = name;
    try {
      return work();
    } finally {
      this.#span = outer;
      this.#recording.spans.push({ name, begin, end: performance.now() });
    }
  }

  /** Told by the stream before it encodes a dispatch; what it returns describes the pass. */
  beginDispatch(
    kernel: Kernel,
    entryPoint: string,
    args: DispatchArguments,
  ): GPUComputePassDescriptor {
    const [x, y = 1, z = 1] = args.workgroups;
    const i = this.#begin({
      name: `${kernel.name}.${entryPoint}`,
      kernel,
      entryPoint,
      uniforms: { ...args.uniforms },
      overrides: { ...args.overrides },
      workgroups: [x, y, z],
      ...boundBytes(kernel, entryPoint, args),
    });
    return this.#writes({ beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 });
  }

  /** Told by the stream before it encodes a copy, and given the encoder for the first timestamp. */
  beginTransfer(encoder: GPUCommandEncoder, name: string, bytes: number): void {
    const i = this.#begin({
      name,
      entryPoint: name,
      uniforms: {},
      overrides: {},
      workgroups: [1, 1, 1],
      bound: { bytes },
      halves: [],
    });
    if (this.timed) {
      encoder.beginComputePass(this.#writes({ beginningOfPassWriteIndex: 2 * i })).end();
    }
  }

  /** Told by the stream when a dispatch or copy is encoded; a copy gives its encoder again. */
  end(transfer?: GPUCommandEncoder): void {
    const i = this.#pending.length - 1;
    if (this.timed && transfer) {
      transfer.beginComputePass(this.#writes({ endOfPassWriteIndex: 2 * i + 1 })).end();
    }
    this.#pending[i].host.end = performance.now();
  }

  /** Told by the stream before it finishes an encoder, into which the reading is put. */
  beginSubmit(encoder: GPUCommandEncoder): void {
    this.#submitBegun = performance.now();
    if (!this.timed || this.#pending.length === 0) return;
    const size = this.#pending.length * 16;
    const buffer = this.#device.raw.createBuffer({
      label: "profiler read-back",
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.resolveQuerySet(this.#queries!, 0, this.#pending.length * 2, this.#resolved!, 0);
    encoder.copyBufferToBuffer(this.#resolved!, 0, buffer, 0, size);
    this.#readBacks.push({ buffer, events: this.#pending });
  }

  /** Told by the stream when a submit has left. */
  endSubmit(): void {
    this.#recording.submits.push({ begin: this.#submitBegun, end: performance.now() });
    this.#pending = [];
  }

  /** Submits, waits, and returns what was seen since the last call. */
  async read(): Promise<Recording> {
    this.#device.commands.submit();
    const recording = this.#recording;
    const readBacks = this.#readBacks.splice(0);
    this.#recording = this.#fresh();
    try {
      await Promise.all(readBacks.map(({ buffer }) => buffer.mapAsync(GPUMapMode.READ)));
    } catch (cause) {
      for (const { buffer } of readBacks) buffer.destroy();
      throw await this.#device.explain(cause, "read a profile");
    }
    for (const { buffer, events } of readBacks) {
      const ticks = new BigUint64Array(buffer.getMappedRange());
      events.forEach((event, i) => {
        // Nanoseconds, as the standard has it.
        const [begin, end] = [ticks[2 * i], ticks[2 * i + 1]].map((t) => Number(t) / 1e6);
        event.gpu = { begin, end: Math.max(begin, end) };
        event.milliseconds = event.gpu.end - begin;
      });
      buffer.destroy();
    }
    this.#device.check();
    return onHostClock(recording);
  }

  /** Leaves the stream, which then runs as if nobody had been there. */
  detach(): void {
    const { commands } = this.#device;
    commands.submit();
    if (commands.profiler === this) commands.profiler = undefined;
    for (const { buffer } of this.#readBacks.splice(0)) buffer.destroy();
    this.#queries?.destroy();
    this.#resolved?.destroy();
  }

  #fresh(): Recording {
    return { timed: this.timed, events: [], submits: [], spans: [] };
  }

  #begin(event: Omit<ProfiledEvent, "submit" | "host">): number {
    const now = performance.now();
    const submit = this.#recording.submits.length;
    const whole = { ...event, submit, span: this.#span, host: { begin: now, end: now } };
    this.#recording.events.push(whole);
    return this.#pending.push(whole) - 1;
  }

  #writes(places: Omit<GPUComputePassTimestampWrites, "querySet">): GPUComputePassDescriptor {
    return this.timed ? { timestampWrites: { querySet: this.#queries!, ...places } } : {};
  }
}

/**
 * Attaches a profiler to a device's command stream, in place of one that is there. Detach it at the
 * end: a pass for each dispatch costs time.
 */
export function attachProfiler(device: Device): Profiler {
  device.requireOpen("attach a profiler");
  device.commands.submit();
  return device.commands.profiler = new Profiler(device);
}

function boundBytes(
  kernel: Kernel,
  entryPoint: string,
  { bindings }: DispatchArguments,
): Pick<ProfiledEvent, "bound" | "halves"> {
  const bound: Record<string, number> = {};
  const halves: string[] = [];
  for (const { name } of kernel.entry(entryPoint).bindings) {
    const given = bindings[name];
    if (!given) continue;
    if ("buffer" in given) {
      // A tensor knows its own size; its buffer may be larger.
      const wide = given.dtype !== "f16";
      bound[name] = "size" in given ? Number(given.size) * (wide ? 4 : 2) : given.buffer.byteLength;
      if (!wide) halves.push(name);
    } else if (given.texture.format === "rgba16float") {
      halves.push(name);
    }
  }
  return { bound, halves };
}

/**
 * Moves the device's times to the host's clock. No interface relates the two; but nothing runs before
 * it is submitted, and the least shift that keeps this true of every submit is taken.
 */
function onHostClock(recording: Recording): Recording {
  const { events, submits } = recording;
  let shift = -Infinity;
  for (const { gpu, submit } of events) {
    if (gpu) shift = Math.max(shift, submits[submit].begin - gpu.begin);
  }
  for (const { gpu } of events) {
    if (!gpu) continue;
    gpu.begin += shift;
    gpu.end += shift;
  }
  return recording;
}
