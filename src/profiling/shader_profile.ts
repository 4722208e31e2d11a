/**
 * A profile of a shader of the user's own: compiled, bound to buffers of numbers, run and timed, and its
 * results told in short, so that two versions of it can be compared.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import type { Bindable } from "../gpu/dispatch.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Overrides } from "../gpu/pipelines.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { recordMedian } from "./kernel_profile.ts";
import {
  bytesOf,
  checkGiven,
  fillBuffer,
  type Given,
  type OwnResource,
  resourcesOf,
  scalarOf,
  uniformBuffer,
} from "./own_shader.ts";
import { measureRoof } from "./roof.ts";
import { evaluate, shaderFacts } from "./shader_facts.ts";
import { summarize } from "./summary.ts";
import type { Profiled } from "./workloads.ts";

/** How a shader is run. */
export interface ShaderProfileOptions extends Given {
  /** Its entry point; may be left out where there is only one. */
  entryPoint?: string;
  /** Values of its overrides. */
  overrides?: Overrides;
  /** Workgroups in x, y and z. */
  workgroups: [number, number?, number?];
  /**
   * Operations of one call: a number, or an expression of whole numbers, uniforms and overrides, such
   * as `2 * m * n * k`.
   */
  flops?: string;
  /** Bytes that one call cannot do without; each buffer once, if absent. */
  bytes?: string;
  /** Calls, of which the median counts. */
  runs?: number;
  /** False leaves it without times where the adapter has no timestamps. */
  replay?: boolean;
  /** False leaves out the measurement of what the adapter can do. */
  roof?: boolean;
}

/** What a buffer held after the first call. */
export interface ShaderOutput {
  /** The variable's name. */
  name: string;
  /** Numbers in it. */
  count: number;
  /** Their sum, added up in float64. */
  sum: number;
  /** The first of them. */
  first: number[];
}

/** Numbers of an output that are told. */
const FIRST = 4;

function chooseEntry(kernel: Kernel, wanted: string | undefined): {
  entryPoint: string;
  resources: OwnResource[];
} {
  const entries = resourcesOf(kernel.source);
  const names = [...entries.keys()];
  if (names.length === 0) {
    throw new VitrailError(`Cannot run ${kernel.name}: it has no @compute entry point`);
  }
  const entryPoint = wanted ?? names[0];
  if (wanted === undefined ? names.length > 1 : !entries.has(wanted)) {
    const has = wanted === undefined ? "several entry points" : `no entry point ${wanted}`;
    throw new VitrailError(
      `Cannot run ${kernel.name}: it has ${has}, wanted --entry with one of ${names.join(", ")}`,
    );
  }
  return { entryPoint, resources: entries.get(entryPoint)! };
}

/** A count that may be an expression of what the shader was given. */
function countOf(
  name: string,
  text: string | undefined,
  { uniforms, overrides = {} }: ShaderProfileOptions,
): number | undefined {
  if (text === undefined) return undefined;
  const plain = Number(text);
  const value = Number.isFinite(plain) && text.trim() !== "" ? plain : evaluate(
    text,
    (word) => uniforms[word]?.[0] ?? Number(overrides[word] ?? NaN),
  );
  if (value >= 0) return value;
  throw new VitrailError(
    `Cannot count --${name} ${text}: wanted a number, or an expression of whole numbers, + - * / %, ` +
      `and ${[...Object.keys(uniforms), ...Object.keys(overrides)].join(", ") || "no names"}`,
  );
}

/** Not every runtime does: one has been seen to take 20 GB for a workgroup's memory. */
function checkWorkgroup(
  device: Device,
  kernel: Kernel,
  { entryPoint, overrides }: { entryPoint: string; overrides: Overrides },
): void {
  const { workgroupBytes } = shaderFacts(kernel, entryPoint, overrides);
  const most = device.raw.limits.maxComputeWorkgroupStorageSize;
  if (!(workgroupBytes > most)) return;
  throw new VitrailError(
    `Cannot run ${kernel.name}.${entryPoint}: its var<workgroup> take ${workgroupBytes} bytes, ` +
      `this adapter's maxComputeWorkgroupStorageSize is ${most}`,
  );
}

async function outputOf(
  { name, type }: OwnResource,
  tensor: Tensor,
  count: number,
): Promise<ShaderOutput> {
  const raw = await tensor.read();
  const { buffer } = raw;
  const scalar = scalarOf(type);
  const numbers: ArrayLike<number> = scalar === "f16"
    ? new Float16Array(buffer)
    : scalar === "i32"
    ? new Int32Array(buffer)
    : scalar === "u32"
    ? new Uint32Array(buffer)
    : new Float32Array(buffer);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += numbers[i];
  return {
    name,
    count,
    sum,
    first: Array.from({ length: Math.min(count, FIRST) }, (_, i) => numbers[i]),
  };
}

/**
 * Runs a user's shader and profiles it.
 *
 * @param name what it is called, such as its file's name
 * @throws {VitrailError} if it does not compile (with the compiler's words and line), has not the entry
 * point, or is not given just what it binds
 */
export async function profileShader(
  device: Device,
  { name, source }: { name: string; source: string },
  options: ShaderProfileOptions,
): Promise<Profiled & { outputs: ShaderOutput[] }> {
  const { buffers, uniforms, overrides = {}, workgroups, runs = 15, replay, roof = true } = options;
  const kernel = new Kernel(name, source);
  const [flops, bytes] = [
    countOf("flops", options.flops, options),
    countOf("bytes", options.bytes, options),
  ];
  await device.pipelines.checkSource(kernel);
  const { entryPoint, resources } = chooseEntry(kernel, options.entryPoint);
  checkGiven(kernel, { entryPoint, resources }, options);
  checkWorkgroup(device, kernel, { entryPoint, overrides });
  await device.pipelines.check(kernel, entryPoint, overrides);

  using operands = device.detachedScope();
  const kinds = new Map(kernel.entry(entryPoint).bindings.map((b) => [b.name, b.kind]));
  const bindings: Record<string, Bindable> = {};
  const own: ReturnType<typeof uniformBuffer>[] = [];
  let size = 0;
  try {
    for (const [seed, resource] of resources.entries()) {
      const kind = kinds.get(resource.name);
      if (kind === "uniform") continue;
      if (kind === "uniform_buffer") {
        own.push(uniformBuffer(device, resource, uniforms));
        bindings[resource.name] = own.at(-1)!;
        continue;
      }
      const fill = buffers[resource.name];
      size += fill.count * bytesOf(resource.type);
      bindings[resource.name] = operands.run(() =>
        fillBuffer(device, resource.type, { fill, seed: seed + 1 })
      );
    }
    const sizes = Object.fromEntries(
      Object.entries(uniforms).map(([key, [value]]) => [key, value]),
    );
    const call = (): void =>
      device.dispatch(kernel, entryPoint, { bindings, uniforms: sizes, overrides, workgroups });
    call();
    await device.finish();
    const outputs: ShaderOutput[] = [];
    for (const resource of resources.filter((r) => kinds.get(r.name) === "read_write")) {
      const { name } = resource;
      outputs.push(await outputOf(resource, bindings[name] as Tensor, buffers[name].count));
    }
    const recording = await recordMedian(device, call, {
      name: "call",
      runs,
      replay,
      again: () => call,
    });
    const profile = summarize(recording, {
      title: `${name}.${entryPoint} over ${
        workgroups.join("×")
      } workgroups, the median of ${runs} calls`,
      adapter: device.description,
      unit: "call",
      units: 1,
      roof: roof ? await measureRoof(device) : undefined,
      work: () => ({ flops, bytes: bytes ?? size }),
    });
    return { profile, recording, outputs };
  } finally {
    await device.finish().catch(() => {});
    for (const { buffer } of own) {
      device.commands.forget(buffer.id);
      buffer.raw.destroy();
    }
  }
}
