/**
 * The command stream: the only place that encodes and submits. Many dispatches go into one
 * submit; bind groups are cached; the uniforms of a submit travel in a single write, and
 * so do small tensors that the host writes in between.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Device } from "./device.ts";
import { type Bindable, type DispatchArguments, holds, notHeld } from "./dispatch.ts";
import type { Binding, Kernel } from "./kernel.ts";
import type { Pipeline } from "./pipelines.ts";
import { type PooledBuffer, releasedError } from "./pooled_buffer.ts";
import type { Profiler } from "./profiler.ts";
import { LaterRead, type ReadSource } from "./later_read.ts";
import type { NumericArray } from "./tensor.ts";
import { type ScratchTexture, texelBytes, TEXELS_PER_ROW } from "./textures.ts";

/** Uniform structs lie this far apart: the most that `minStorageBufferOffsetAlignment` may be. */
const UNIFORM_STRIDE = 256;
/** Dispatches in one submit, at most. */
const MAX_DISPATCHES = 1024;
/** Bytes that the host may write into the middle of one submit. */
const MAX_UPLOAD = 1 << 20;
/** No aliases. */
const NONE: readonly string[] = [];
/** Cached bind groups, at most; beyond it the oldest goes. */
const MAX_BIND_GROUPS = 16384;

/** Records work and submits it in order. */
export class Commands {
  /** Dispatches recorded since the device was opened. */
  dispatches = 0;
  /** Times what is recorded, while one is attached. */
  profiler: Profiler | undefined;
  readonly #device: Device;
  readonly #uniforms: GPUBuffer;
  readonly #staged = new ArrayBuffer(UNIFORM_STRIDE * MAX_DISPATCHES);
  readonly #view = new DataView(this.#staged);
  readonly #uploads: GPUBuffer;
  readonly #stagedUploads = new Uint8Array(MAX_UPLOAD);
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  /** Keys of bind groups by each resource that they hold, as it is named in a key. */
  readonly #keysOf = new Map<string, Set<string>>();
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #recordedReads: LaterRead[] = [];
  #submittedReads: LaterRead[] = [];
  #recorded = 0;
  #uploaded = 0;

  /** A stream over one device. */
  constructor(device: Device) {
    this.#device = device;
    this.#uniforms = device.raw.createBuffer({
      label: "uniforms",
      size: this.#staged.byteLength,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
    this.#uploads = device.raw.createBuffer({
      label: "uploads",
      size: MAX_UPLOAD,
      usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }

  /** Records one dispatch. */
  dispatch(kernel: Kernel, entryPoint: string, args: DispatchArguments): void {
    if (!this.#device.isOpen) this.#device.requireOpen(`dispatch ${kernel.name}.${entryPoint}`);
    const { raw } = this.#device;
    const halves = halvesOf(kernel, entryPoint, args.bindings, this.#device);
    const pipeline = this.#device.pipelines.get(kernel, entryPoint, args.overrides, halves);
    const [x, y = 1, z = 1] = args.workgroups;
    const limit = raw.limits.maxComputeWorkgroupsPerDimension;
    if (!(Math.max(x, y, z) <= limit)) {
      throw new VitrailError(
        `Cannot dispatch ${pipeline.label} over (${x}, ${y}, ${z}) workgroups: ` +
          `this adapter's maxComputeWorkgroupsPerDimension is ${limit}`,
      );
    }
    if (x * y * z === 0) return;
    const { profiler } = this;
    if (this.#recorded === MAX_DISPATCHES || profiler?.full) this.submit();
    // Before anything is recorded: what is wrong with the operands shall leave the stream as it was.
    const group = this.#bindGroup(pipeline, args.bindings);
    const offset = this.#recorded * UNIFORM_STRIDE;
    if (pipeline.entry.uniform) this.#writeUniforms(pipeline, args.uniforms ?? {}, offset);
    const descriptor = profiler?.beginDispatch(kernel, entryPoint, args);
    if (profiler) this.#endPass();
    this.#pass ??= this.#encode().beginComputePass(descriptor);
    this.#pass.setPipeline(pipeline.raw);
    this.#pass.setBindGroup(0, group, pipeline.entry.uniform ? [offset] : []);
    this.#pass.dispatchWorkgroups(x, y, z);
    this.#recorded++;
    this.dispatches++;
    if (profiler) this.#endPass();
    profiler?.end();
  }

  /** Fills a buffer with zero bytes. */
  clear(buffer: PooledBuffer): void {
    this.#device.requireOpen("clear a tensor");
    if (buffer.whole.isReleased) throw releasedError("clear a tensor", buffer);
    this.#transfer("clear", buffer.byteLength, (encoder) => {
      encoder.clearBuffer(buffer.raw, buffer.offset, buffer.byteLength);
    });
  }

  /** Copies bytes from one buffer to another, from the given byte offsets on. */
  copy(
    source: PooledBuffer,
    target: PooledBuffer,
    byteLength: number,
    offsets: { source?: number; target?: number } = {},
  ): void {
    this.#device.requireOpen("copy a tensor");
    if (source.whole.isReleased) throw releasedError("copy a tensor", source);
    if (target.whole.isReleased) throw releasedError("copy into a tensor", target);
    const { source: from = 0, target: to = 0 } = offsets;
    this.#transfer("copy", byteLength, (encoder) => {
      encoder.copyBufferToBuffer(
        source.raw,
        source.offset + from,
        target.raw,
        target.offset + to,
        byteLength,
      );
    });
  }

  /**
   * Copies the beginning of a buffer of f32, or of f16 as the texture is, four numbers to a texel, from row
   * `row` of the texture on.
   */
  copyToTexture(source: PooledBuffer, { texture }: ScratchTexture, texels: number, row = 0): void {
    this.#device.requireOpen("copy a tensor");
    if (source.whole.isReleased) throw releasedError("copy a tensor", source);
    const rows = Math.floor(texels / TEXELS_PER_ROW);
    const rest = texels % TEXELS_PER_ROW;
    const bytes = texelBytes(texture.format);
    const bytesPerRow = TEXELS_PER_ROW * bytes;
    this.#transfer("copy to texture", texels * bytes, (encoder) => {
      if (rows > 0) {
        encoder.copyBufferToTexture(
          { buffer: source.raw, offset: source.offset, bytesPerRow },
          { texture, origin: [0, row] },
          [TEXELS_PER_ROW, rows],
        );
      }
      if (rest > 0) {
        encoder.copyBufferToTexture(
          { buffer: source.raw, offset: source.offset + rows * bytesPerRow },
          { texture, origin: [0, row + rows] },
          [rest, 1],
        );
      }
    });
  }

  /**
   * Writes from the host, in order with what is recorded. A submit in the middle of a step would set
   * the adapter to work beside the host, on a processor in its place: so what is small enough is kept
   * and copied by the stream itself.
   */
  write(buffer: PooledBuffer, data: NumericArray, byteOffset = 0): void {
    this.#device.requireOpen("write into a tensor");
    if (buffer.whole.isReleased) throw releasedError("write into a tensor", buffer);
    if (this.profiler?.full) this.submit();
    const to = buffer.offset + byteOffset;
    const at = this.#uploaded;
    if (this.#encoder && at + data.byteLength <= MAX_UPLOAD) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      this.#stagedUploads.set(bytes, at);
      this.#transfer("upload", data.byteLength, (encoder) => {
        encoder.copyBufferToBuffer(this.#uploads, at, buffer.raw, to, data.byteLength);
      });
      this.#uploaded += data.byteLength;
    } else {
      this.submit();
      this.#device.raw.queue.writeBuffer(buffer.raw, to, data);
    }
  }

  /** Hands everything recorded to the device; to one that is gone, nothing. */
  submit(): void {
    if (!this.#encoder) return;
    if (!this.#device.isOpen) return this.#discard();
    this.#endPass();
    const { queue } = this.#device.raw;
    if (this.#recorded > 0) {
      queue.writeBuffer(this.#uniforms, 0, this.#staged, 0, this.#recorded * UNIFORM_STRIDE);
    }
    if (this.#uploaded > 0) {
      queue.writeBuffer(this.#uploads, 0, this.#stagedUploads, 0, this.#uploaded);
    }
    // Under Deno, to ask for a mapping polls the device, and to poll a processor that runs shaders is to
    // wait for it. So what was set aside before is asked for now, and not while this submit runs.
    for (const read of this.#submittedReads) read.map();
    this.profiler?.beginSubmit(this.#encoder);
    queue.submit([this.#encoder.finish()]);
    this.profiler?.endSubmit();
    this.#submittedReads = this.#recordedReads;
    this.#discard();
  }

  /** Copies buffers to the host with a single wait. */
  read(sources: readonly ReadSource[]): Promise<ArrayBuffer[]> {
    return this.readLater(sources).bytes();
  }

  /**
   * Sets copies of buffers aside, in order with what is recorded, to be waited for when the host has
   * use for them: what is recorded in between runs meanwhile.
   */
  readLater(sources: readonly ReadSource[]): LaterRead {
    this.#device.requireOpen("read a tensor");
    const gone = sources.find(({ buffer }) => buffer.whole.isReleased);
    if (gone) throw releasedError("read a tensor", gone.buffer);
    this.#endPass();
    const read = new LaterRead(this.#device, sources, (staging) => {
      let at = 0;
      for (const { buffer, byteLength } of sources) {
        this.#encode().copyBufferToBuffer(buffer.raw, buffer.offset, staging, at, byteLength);
        at += byteLength;
      }
    });
    this.#recordedReads.push(read);
    return read;
  }

  /** Drops the bind groups that hold a buffer or slice, by its id, or a texture, which is about to be destroyed. */
  forget(resource: number | ScratchTexture): void {
    const part = typeof resource === "number" ? `${resource}` : `t${resource.id}`;
    for (const key of this.#keysOf.get(part) ?? []) this.#drop(key);
    this.#keysOf.delete(part);
  }

  #encode(): GPUCommandEncoder {
    return this.#encoder ??= this.#device.raw.createCommandEncoder();
  }

  /** Begins anew, without what is recorded. */
  #discard(): void {
    this.#recordedReads = [];
    this.#encoder = undefined;
    this.#pass = undefined;
    this.#recorded = 0;
    this.#uploaded = 0;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  #transfer(name: string, bytes: number, encode: (encoder: GPUCommandEncoder) => void): void {
    const { profiler } = this;
    if (profiler?.full) this.submit();
    this.#endPass();
    const encoder = this.#encode();
    profiler?.beginTransfer(encoder, name, bytes);
    encode(encoder);
    profiler?.end(encoder);
  }

  #writeUniforms(pipeline: Pipeline, values: Record<string, number>, offset: number): void {
    for (const { name, offset: at, type } of pipeline.entry.uniform!.members) {
      const value = values[name];
      if (value === undefined) {
        throw new VitrailError(`Cannot dispatch ${pipeline.label}: uniform ${name} is not given`);
      }
      if (!holds(type, value)) throw notHeld(pipeline.label, { name, type, value });
      if (type === "f32") this.#view.setFloat32(offset + at, value, true);
      else if (type === "i32") this.#view.setInt32(offset + at, value, true);
      else this.#view.setUint32(offset + at, value, true);
    }
  }

  #bindGroup(pipeline: Pipeline, bindings: DispatchArguments["bindings"]): GPUBindGroup {
    let key = `${pipeline.id}`;
    for (const { name, kind } of pipeline.entry.bindings) {
      if (kind === "uniform") continue;
      const given = bindings[name];
      if (!given) throw new VitrailError(`Cannot dispatch ${pipeline.label}: ${name} is not bound`);
      if ("buffer" in given) {
        const { buffer } = given;
        if (buffer.whole.isReleased) throw releasedOperand(pipeline, name, given);
        key += `,${buffer.id}`;
      } else {
        if (given.isReleased) throw releasedTexture(pipeline, name);
        key += `,t${given.id}`;
      }
    }
    const cached = this.#bindGroups.get(key);
    if (cached) return cached;
    const group = this.#device.raw.createBindGroup({
      label: pipeline.label,
      layout: pipeline.layout,
      entries: pipeline.entry.bindings.map(({ name, index, kind }) => ({
        binding: index,
        resource: kind === "uniform"
          ? { buffer: this.#uniforms, size: pipeline.entry.uniform!.byteLength }
          : resourceOf(bindings[name]),
      })),
    });
    if (this.#bindGroups.size >= MAX_BIND_GROUPS) this.#drop(this.#bindGroups.keys().next().value!);
    this.#bindGroups.set(key, group);
    for (const part of resourcesIn(key)) {
      const keys = this.#keysOf.get(part) ?? new Set();
      this.#keysOf.set(part, keys.add(key));
    }
    return group;
  }

  /** Drops a bind group, and every mention of it. */
  #drop(key: string): void {
    this.#bindGroups.delete(key);
    for (const part of resourcesIn(key)) {
      const keys = this.#keysOf.get(part);
      keys?.delete(key);
      if (keys?.size === 0) this.#keysOf.delete(part);
    }
  }
}

/** The resources that a bind group's key names, behind its pipeline. */
function resourcesIn(key: string): string[] {
  return key.split(",").slice(1);
}

/** The error of binding a texture that was given back. */
function releasedTexture({ label }: Pipeline, name: string): VitrailError {
  return new VitrailError(
    `Cannot dispatch ${label}: its ${name} is a texture that was given back, since what it belonged ` +
      "to was disposed of; make another",
  );
}

/** The error of binding a tensor that was given back. */
function releasedOperand(
  { label }: Pipeline,
  name: string,
  given: { buffer: PooledBuffer; shape?: readonly number[] },
): VitrailError {
  return releasedError(`dispatch ${label}, whose ${name} is a tensor`, given.buffer, given.shape);
}

/**
 * The aliases of a shader that are f16 in this dispatch, by what is bound to the variables of their type,
 * and the textures that it writes in halves.
 *
 * @throws {VitrailError} if f16 is bound where only f32 is read, or beside f32 of the same alias
 */
function halvesOf(
  kernel: Kernel,
  entryPoint: string,
  bindings: DispatchArguments["bindings"],
  { nothing, nowhere }: Device,
): readonly string[] {
  // A texture of either format is read as f32; of what is written the shader must know it.
  const half = ({ name, kind }: Binding): boolean => kind !== "texture" && isHalf(bindings[name]);
  const all = kernel.entry(entryPoint).bindings;
  if (!all.some(half)) return NONE;
  const halves = new Set<string>();
  for (const { name, alias, kind } of all.filter(half)) {
    if (kind !== "texture_write" && alias === undefined) {
      throw new VitrailError(
        `Cannot dispatch ${kernel.name}.${entryPoint}: its ${name} is bound to f16, wanted f32`,
      );
    }
    halves.add(alias ?? name);
  }
  for (const binding of all) {
    const { name, alias } = binding;
    // What is neither read nor written is of every type.
    if (bindings[name] === nothing || bindings[name] === nowhere) continue;
    if (!alias || !halves.has(alias) || half(binding)) continue;
    throw new VitrailError(
      `Cannot dispatch ${kernel.name}.${entryPoint}: its ${name} is bound to f32 ` +
        "beside others that are f16, wanted one type",
    );
  }
  return [...halves].sort();
}

/** Whether a tensor or a texture holds f16; nothing may be bound yet. */
function isHalf(bound?: Bindable): boolean {
  if (!bound) return false;
  return "buffer" in bound ? bound.dtype === "f16" : bound.texture.format === "rgba16float";
}

function resourceOf(bound: Bindable): GPUBindingResource {
  if (!("buffer" in bound)) return bound.view;
  const { raw, offset, byteLength } = bound.buffer;
  return { buffer: raw, offset, size: byteLength };
}
