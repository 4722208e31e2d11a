/**
 * Compute pipelines, compiled once for each shader, entry point, set of overrides and types.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Binding, EntryPoint, Kernel } from "./kernel.ts";
import type { TexelFormat } from "./textures.ts";

/** Values of a shader's `override` constants. */
export type Overrides = Record<string, number | boolean>;

/** A compiled entry point. */
export interface Pipeline {
  /** Unique within its device. */
  id: number;
  /** `shader.entry`, as error messages and profiles show it. */
  label: string;
  /** The pipeline of the WebGPU standard. */
  raw: GPUComputePipeline;
  /** The layout of its one bind group. */
  layout: GPUBindGroupLayout;
  /** The reflected entry point. */
  entry: EntryPoint;
}

/** Compiles pipelines and keeps them. */
export class PipelineCache {
  /** Called before anything is compiled, with what is done: throws if the device is gone. */
  requireDevice: (action: string) => void = () => {};
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #modules = new Map<string, GPUShaderModule>();

  /** A cache over one device. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** The pipeline for an entry point under the given overrides, with these aliases and written textures as f16. */
  get(
    kernel: Kernel,
    entryPoint: string,
    overrides: Overrides = {},
    halves: readonly string[] = [],
  ): Pipeline {
    const key = `${kernel.id}.${entryPoint} ${JSON.stringify(overrides)} ${halves}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      this.#pipelines.set(key, pipeline = this.#compile(kernel, entryPoint, overrides, halves));
    }
    return pipeline;
  }

  /**
   * Reads a shader that nobody has tried yet.
   *
   * @throws {VitrailError} if it does not compile: what the compiler says, and of which line
   */
  async checkSource(kernel: Kernel): Promise<void> {
    this.requireDevice(`compile ${kernel.name}`);
    this.#device.pushErrorScope("validation");
    const info = await this.#module(kernel).getCompilationInfo();
    await this.#device.popErrorScope();
    const error = info.messages.find(({ type }) => type === "error");
    if (error) {
      const { lineNum, linePos, message } = error;
      throw new VitrailError(
        `Cannot compile ${kernel.name}: line ${lineNum}, column ${linePos}: ${inWords(message)}`,
      );
    }
  }

  /**
   * Compiles an entry point that nobody has tried yet.
   *
   * @throws {VitrailError} if it does not compile, with what the compiler says
   */
  async check(kernel: Kernel, entryPoint: string, overrides: Overrides = {}): Promise<void> {
    this.requireDevice(`compile ${kernel.name}`);
    this.#device.pushErrorScope("validation");
    let failure: unknown;
    try {
      this.get(kernel, entryPoint, overrides);
    } catch (cause) {
      failure = cause;
    }
    const refused = await this.#device.popErrorScope();
    if (failure) throw failure;
    if (!refused) return;
    throw new VitrailError(
      `Cannot compile ${kernel.name}.${entryPoint}: ${inWords(refused.message)}`,
    );
  }

  #module(kernel: Kernel, halves: readonly string[] = []): GPUShaderModule {
    this.requireDevice(`compile ${kernel.name}`);
    const text = `${kernel.id} ${halves}`;
    let module = this.#modules.get(text);
    if (!module) {
      const code = kernel.sourceWith(halves);
      module = this.#device.createShaderModule({ label: kernel.name, code });
      this.#modules.set(text, module);
    }
    return module;
  }

  #compile(
    kernel: Kernel,
    entryPoint: string,
    overrides: Overrides,
    halves: readonly string[],
  ): Pipeline {
    const entry = kernel.entry(entryPoint);
    const label = `${kernel.name}.${entryPoint}`;
    for (const name of Object.keys(overrides)) {
      if (!kernel.overrides.has(name)) {
        throw new VitrailError(`Cannot set override ${name} of ${label}: it declares no such name`);
      }
    }
    const module = this.#module(kernel, halves);
    const layout = this.#device.createBindGroupLayout({
      label,
      entries: entry.bindings.map((binding) => ({
        binding: binding.index,
        visibility: GPUShaderStage.COMPUTE,
        ...bindingLayout(binding, { entry, halves }),
      })),
    });
    const constants: Record<string, number> = {};
    for (const [name, value] of Object.entries(overrides)) constants[name] = Number(value);
    const raw = this.#device.createComputePipeline({
      label,
      layout: this.#device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint, constants },
    });
    return { id: this.#pipelines.size, label, raw, layout, entry };
  }
}

/** A compiler's message without the drawing of the source around it. */
function inWords(message: string): string {
  const lines = message.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const told = lines.filter((line) => !/[┌│]/.test(line))
    .map((line) =>
      line.replace(/^Shader '.*?' (parsing|validation) error: /, "").replace(/^= /, "")
    );
  const marked = lines.flatMap((line) => line.match(/│.*\^+ (.+)$/)?.[1] ?? []);
  return [...told, ...marked].join("; ");
}

const writtenFormat = ({ name }: Binding, halves: readonly string[]): TexelFormat =>
  halves.includes(name) ? "rgba16float" : "rgba32float";

/** What may be bound in a place. */
function bindingLayout(
  binding: Binding,
  { entry, halves }: { entry: EntryPoint; halves: readonly string[] },
): Partial<GPUBindGroupLayoutEntry> {
  switch (binding.kind) {
    case "uniform": {
      const minBindingSize = entry.uniform!.byteLength;
      return { buffer: { type: "read-only-storage", hasDynamicOffset: true, minBindingSize } };
    }
    case "uniform_buffer":
      return { buffer: { type: "uniform" } };
    case "texture":
      return { texture: { sampleType: "unfilterable-float" } };
    case "texture_write":
      return { storageTexture: { access: "write-only", format: writtenFormat(binding, halves) } };
    default:
      return { buffer: { type: binding.kind === "read" ? "read-only-storage" : "storage" } };
  }
}
