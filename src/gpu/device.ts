/**
 * Opening an adapter, and the one object through which everything reaches it.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { BufferPool } from "./buffers.ts";
import { Commands } from "./commands.ts";
import type { DispatchArguments } from "./dispatch.ts";
import type { Kernel } from "./kernel.ts";
import { PipelineCache } from "./pipelines.ts";
import { PooledBuffer, releasedError } from "./pooled_buffer.ts";
import { CurrentScope, type Scope } from "./scope.ts";
import {
  bytesOf,
  checkShape,
  type DType,
  type HostTensor,
  type NumericArray,
  sizeOf,
  Tensor,
} from "./tensor.ts";
import { type ScratchTexture, ScratchTextures } from "./textures.ts";
import { VariantTable } from "./variants.ts";

/** Limits we ask the adapter for at their full value: the defaults of WebGPU are for phones. */
const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupsPerDimension",
  "maxTextureDimension2D",
] as const;

/** After `destroy`. */
const DESTROYED = "the GPU device was destroyed; open another with openDevice()";

const lostBecause = (reason: string): string =>
  `the GPU device was lost (${reason || "no reason given"}): the driver was reset or unplugged; ` +
  "start again, with a smaller batch if it recurs";

/** How {@linkcode openDevice} chooses its adapter. */
export interface DeviceOptions {
  /** Another implementation of the WebGPU standard (Dawn, say) in place of the runtime's own. */
  gpu?: GPU;
  /** Passed to `requestAdapter`. */
  powerPreference?: GPUPowerPreference;
}

/** An open WebGPU device with its buffer pool, its pipelines and its one command stream. */
export class Device {
  /** The device of the WebGPU standard. */
  readonly raw: GPUDevice;
  /** The adapter's own name, such as `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  readonly description: string;
  /** True where shaders run on the processor: such adapters want other tiles. */
  readonly isCpu: boolean;
  /** Whether shaders may hold f16. */
  readonly hasF16: boolean;
  /** What is bound where a shader names a tensor that it will not read, such as a mask that is absent. */
  readonly nothing: Tensor;
  /** What is bound where a shader names a tensor that it will not write. */
  readonly nowhere: Tensor;
  /** Numbers in one vector of a processor that runs shaders: llvmpipe says its bits, others have 8. */
  readonly vectorLanes: number;
  /** All buffers come from here and go back here. */
  readonly pool: BufferPool;
  /** Textures that hold copies of buffers for a while. */
  readonly textures: ScratchTextures;
  /** Records dispatches and submits them. */
  readonly commands: Commands;
  /** Compiled pipelines by shader, entry point and overrides. */
  readonly pipelines: PipelineCache;
  /** Which variants of kernels run on this adapter. */
  readonly variants: VariantTable = new VariantTable();
  #fault: string | undefined;
  /** Why nothing can be done with it any more. */
  #ended: string | undefined;

  /** Wraps an open `GPUDevice`; {@linkcode openDevice} is the usual way in. */
  constructor(raw: GPUDevice, description: string) {
    this.raw = raw;
    this.description = description;
    this.isCpu = /llvmpipe|swiftshader|lavapipe|softpipe|basic render/i.test(description);
    this.vectorLanes = Number(/(\d+) bits/.exec(description)?.[1] ?? 256) / 32;
    this.hasF16 = raw.features.has("shader-f16");
    const empty = (label: string, id: number): Tensor => {
      const buffer = raw.createBuffer({ label, size: 256, usage: GPUBufferUsage.STORAGE });
      const whole = new PooledBuffer({ id, raw: buffer, byteLength: 256 });
      return new Tensor(this, whole, [0], "f32");
    };
    this.nothing = empty("nothing", 0);
    this.nowhere = empty("nowhere", -1);
    const scopes = new CurrentScope();
    this.pool = new BufferPool(raw, scopes);
    this.pool.requireDevice = (action) => this.requireOpen(action);
    this.pipelines = new PipelineCache(raw);
    this.pipelines.requireDevice = (action) => this.requireOpen(action);
    this.commands = new Commands(this);
    this.textures = new ScratchTextures(raw, scopes);
    this.textures.requireDevice = (action) => this.requireOpen(action);
    const leave = (resource: number | ScratchTexture): void => {
      // What is recorded may still use it.
      this.commands.submit();
      this.commands.forget(resource);
    };
    this.pool.onDestroy = leave;
    this.textures.onDestroy = leave;
    raw.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#fault ??= describeFault((event as GPUUncapturedErrorEvent).error);
    });
    raw.lost.then(({ reason, message }) => {
      this.#ended ??= reason === "destroyed" ? DESTROYED : lostBecause(message);
    });
  }

  /** Whether it can be used: it was neither destroyed nor lost. */
  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /**
   * Fails unless the device can be used.
   *
   * @param action what is about to be done, such as `read a tensor`
   * @throws {VitrailError} if it was destroyed or lost
   */
  requireOpen(action: string): void {
    if (this.#ended !== undefined) throw new VitrailError(`Cannot ${action}: ${this.#ended}`);
  }

  /**
   * The error in our words of what the runtime refused: of a lost device it says no more than that something
   * went wrong, before it says what.
   *
   * @param action what was being done
   */
  async explain(cause: unknown, action: string): Promise<VitrailError> {
    if (cause instanceof VitrailError) return cause;
    // What was lost, and what was refused, is reported by events that are on their way.
    await new Promise((done) => setTimeout(done, 0));
    const reason = this.#ended ?? this.#fault ??
      (cause instanceof Error ? cause.message : `${cause}`);
    return new VitrailError(`Cannot ${action}: ${reason}`, { cause });
  }

  /**
   * A tensor of unspecified contents; it belongs to the current scope, if there is one.
   *
   * @throws {VitrailError} at a side that is no whole number from 1, or more than the adapter can bind
   */
  tensor(shape: readonly number[], dtype: DType = "f32"): Tensor {
    checkShape(shape, "make a tensor");
    const bytes = bytesOf(sizeOf(shape), dtype);
    const buffer = this.pool.allocate(bytes);
    buffer.shape = shape;
    return new Tensor(this, buffer, shape, dtype);
  }

  /** A tensor of zeros. */
  zeros(shape: readonly number[], dtype: DType = "f32"): Tensor {
    const out = this.tensor(shape, dtype);
    this.commands.clear(out.buffer);
    return out;
  }

  /** A tensor with the given contents. */
  upload(data: NumericArray, shape: readonly number[] = [data.length]): Tensor {
    const out = this.tensor(shape, dtypeOf(data));
    try {
      this.write(out, data);
    } catch (cause) {
      this.pool.release(out.buffer);
      throw cause;
    }
    return out;
  }

  /**
   * Overwrites the contents of a tensor of four bytes an element; into f16 numbers go through the kernel
   * `cast`.
   */
  write(target: Tensor, data: NumericArray): void {
    this.requireOpen("write into a tensor");
    if (target.dtype === "f16") {
      throw new VitrailError(
        `Cannot write into an f16 tensor of shape (${target.shape.join(", ")}) from the host: ` +
          "write f32 and cast it on the device",
      );
    }
    if (data.length !== target.size) {
      throw new VitrailError(
        `Cannot write ${data.length} numbers into a tensor of shape (${
          target.shape.join(", ")
        }): ` +
          `it holds ${target.size}`,
      );
    }
    if (target.buffer.whole.isReleased) {
      throw releasedError("write into a tensor", target.buffer, target.shape);
    }
    this.commands.write(target.buffer, data);
  }

  /**
   * Opens a scope for synchronous code: what is made until its disposal goes back to the pool then. For
   * code that waits in between there is {@linkcode Device.detachedScope}; {@linkcode Scope} says what
   * becomes of one that is held across an `await`.
   */
  scope(): Scope {
    return this.pool.scope();
  }

  /** A scope for asynchronous code: it owns what is made within its `run`, whatever else runs meanwhile. */
  detachedScope(): Scope {
    return this.pool.detachedScope();
  }

  /** Records one dispatch of `kernel`; nothing runs until the stream is submitted. */
  dispatch(kernel: Kernel, entryPoint: string, args: DispatchArguments): void {
    this.commands.dispatch(kernel, entryPoint, args);
  }

  /** Throws, in words, what went wrong on the device since it was opened. */
  check(): void {
    this.requireOpen("use the GPU");
    if (this.#fault) throw new VitrailError(this.#fault);
  }

  /**
   * Reads several tensors with a single wait, since every wait costs 11 ms under Deno; f16 comes as a
   * `Float32Array`.
   */
  async read(...tensors: Tensor[]): Promise<NumericArray[]> {
    this.pool.pauseScopes();
    return await this.readLater(...tensors).numbers();
  }

  /**
   * Runs `make` and reads the tensors that it returns. It has a scope of its own, and what it made is back
   * in the pool while the host waits.
   */
  async compute(make: () => readonly Tensor[]): Promise<HostTensor[]> {
    const { read, shapes } = this.#inScope(() => {
      const tensors = make();
      return { read: this.readLater(...tensors), shapes: tensors.map(({ shape }) => shape) };
    });
    return (await read.numbers()).map((data, i) => ({ data, shape: shapes[i] }));
  }

  #inScope<T>(make: () => T): T {
    using scope = this.detachedScope();
    return scope.run(make);
  }

  /**
   * Sets the present contents of tensors aside, to be waited for later: what is recorded and submitted in
   * between runs while the host waits. Call one of the two functions, or its memory is never given back.
   */
  readLater(
    ...tensors: Tensor[]
  ): { numbers: () => Promise<NumericArray[]>; cancel: () => void } {
    this.requireOpen("read a tensor");
    const gone = tensors.find(({ buffer }) => buffer.whole.isReleased);
    if (gone) throw releasedError("read a tensor", gone.buffer, gone.shape);
    const read = this.commands.readLater(tensors.map((t) => ({
      buffer: t.buffer,
      byteLength: t.byteLength,
    })));
    return {
      numbers: async () => {
        this.pool.pauseScopes();
        const bytes = await read.bytes();
        this.check();
        return bytes.map((b, i) => numbersOf(b, tensors[i]));
      },
      cancel: () => read.cancel(),
    };
  }

  /** Submits what is recorded and waits until the device has run it. */
  async finish(): Promise<void> {
    this.requireOpen("wait for the GPU");
    this.pool.pauseScopes();
    this.commands.submit();
    try {
      await this.raw.queue.onSubmittedWorkDone();
    } catch (cause) {
      throw await this.explain(cause, "wait for the GPU");
    }
    this.check();
  }

  /** Destroys every buffer and the device itself: every later call is an error. */
  destroy(): void {
    if (this.#ended === DESTROYED) return;
    this.pool.destroy();
    this.textures.destroy();
    this.#ended = DESTROYED;
    this.raw.destroy();
  }
}

function dtypeOf(data: NumericArray): DType {
  return data instanceof Float32Array ? "f32" : data instanceof Uint32Array ? "u32" : "i32";
}

function numbersOf(bytes: ArrayBuffer, { dtype, size }: Tensor): NumericArray {
  switch (dtype) {
    case "f16":
      return new Float32Array(new Float16Array(bytes, 0, size));
    case "f32":
      return new Float32Array(bytes);
    case "u32":
      return new Uint32Array(bytes);
    case "i32":
      return new Int32Array(bytes);
  }
}

function describeFault(error: GPUError): string {
  const text = error.message.replace(/\s+/g, " ").trim();
  if (/out.?of.?memory|not enough memory/i.test(error.constructor.name + text)) {
    return `The GPU is out of memory (${text}): use a smaller batch, sequence or model`;
  }
  return `WebGPU refused a command: ${text}`;
}

/**
 * Opens the best adapter there is.
 *
 * @throws {VitrailError} if there is no WebGPU or no adapter; the message names the missing
 * driver and the command that installs it.
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const gpu = options.gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu;
  if (!gpu) {
    throw new VitrailError(
      "Cannot open a GPU: this runtime has no WebGPU (navigator.gpu is missing); " +
        "use Deno 2.8.3 or newer, or pass `gpu`",
    );
  }
  const refused = (cause: unknown): never => {
    const { message } = cause instanceof Error ? cause : new Error(`${cause}`);
    throw new VitrailError(`Cannot open a GPU: ${message}`, { cause });
  };
  const adapter = await gpu.requestAdapter({
    powerPreference: options.powerPreference ?? "high-performance",
  }).catch(refused);
  if (!adapter) {
    throw new VitrailError(
      "Cannot open a GPU: no Vulkan, Metal or DirectX 12 driver was found; install your card's " +
        "driver, or the software one: `sudo apt-get install mesa-vulkan-drivers libvulkan1`",
    );
  }
  const requiredLimits: Record<string, number> = {};
  for (const name of WANTED_LIMITS) requiredLimits[name] = adapter.limits[name];
  const requiredFeatures = (["timestamp-query", "shader-f16"] as GPUFeatureName[])
    .filter((f) => adapter.features.has(f));
  const raw = await adapter.requestDevice({ requiredLimits, requiredFeatures }).catch(refused);
  const { description, vendor, device } = adapter.info;
  return new Device(raw, description || `${vendor} ${device}`.trim() || "unnamed adapter");
}
