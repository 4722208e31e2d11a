/**
 * The buffer pool: storage buffers are handed out, scoped and used again, and destroyed by us,
 * because a `GPUBuffer` puts no pressure on the garbage collector.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";

/** A storage buffer, or a slice of one, with a number of its own, by which bind groups are cached. */
export interface PooledBuffer {
  /** Unique within its device. */
  readonly id: number;
  /** The buffer of the WebGPU standard. */
  readonly raw: GPUBuffer;
  /** Where a slice begins within `raw`, in bytes; 0 for a whole buffer. */
  readonly offset: number;
  /** Its size in bytes, which may exceed what was asked for by up to an eighth. */
  readonly byteLength: number;
}

/** What memory is for, where whoever allocates says so: all else is activations. */
export type MemoryKind = "weights" | "gradients" | "optimizer state" | "activations" | "logits";

/** What the pool holds, in buffers and bytes. */
export interface MemoryReport {
  /** Buffers handed out at present. */
  liveBuffers: number;
  /** Bytes handed out at present. */
  liveBytes: number;
  /** The most bytes that were ever handed out at once. */
  peakBytes: number;
  /** What they were for, in bytes. */
  peakByKind: Partial<Record<MemoryKind, number>>;
  /** The most bytes of each kind, which need not be at that time. */
  mostByKind: Partial<Record<MemoryKind, number>>;
  /** Bytes taken from the adapter, handed out or waiting. */
  reservedBytes: number;
}

/** Slices begin at multiples of this many bytes: the most that an adapter may ask for. */
export const SLICE_ALIGNMENT = 256;

/** Buffers waiting beyond this many times the peak in use are destroyed. */
const KEEP_FACTOR = 1.25;

/** Hands out storage buffers and takes them back. */
export class BufferPool {
  /** Called before a buffer is destroyed. */
  onDestroy: (buffer: PooledBuffer) => void = () => {};
  readonly #device: GPUDevice;
  readonly #waiting = new Map<number, PooledBuffer[]>();
  readonly #live = new Map<PooledBuffer, MemoryKind>();
  readonly #slices = new Map<PooledBuffer, Map<string, PooledBuffer>>();
  readonly #scopes: Scope[] = [];
  readonly #bytesByKind: MemoryReport["peakByKind"] = {};
  #kind: MemoryKind = "activations";
  #nextId = 1;
  #report: MemoryReport = {
    liveBuffers: 0,
    liveBytes: 0,
    peakBytes: 0,
    peakByKind: {},
    mostByKind: {},
    reservedBytes: 0,
  };

  /** A pool over one device. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** The most bytes that one buffer may have on this adapter. */
  get largest(): number {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.#device.limits;
    return Math.min(maxStorageBufferBindingSize, maxBufferSize);
  }

  /** A copy of the pool's figures. */
  get memory(): MemoryReport {
    return { ...this.#report };
  }

  /** Starts the peak afresh from what is in use now. */
  resetPeak(): void {
    this.#report.peakBytes = -1;
    this.#report.mostByKind = { ...this.#bytesByKind };
    this.#notePeak();
  }

  /**
   * A buffer of at least `byteLength` bytes and of unspecified contents; of no more than it must be if
   * `exact`, which suits what is kept for long.
   *
   * @throws {VitrailError} if the adapter cannot bind so large a buffer; the limit is named.
   */
  allocate(byteLength: number, { exact = false }: { exact?: boolean } = {}): PooledBuffer {
    const size = exact ? Math.ceil(byteLength / 256) * 256 : sizeClass(byteLength);
    const limit = this.largest;
    if (byteLength > limit) {
      const { maxStorageBufferBindingSize: binding, maxBufferSize } = this.#device.limits;
      const name = binding <= maxBufferSize ? "maxStorageBufferBindingSize" : "maxBufferSize";
      throw new VitrailError(
        `Cannot allocate a buffer of ${byteLength} bytes: this adapter's ${name} is ${limit}; ` +
          "use a smaller batch, sequence, vocabulary or model, or another adapter",
      );
    }
    const buffer = this.#waiting.get(size)?.pop() ?? this.#create(Math.min(size, limit));
    this.#live.set(buffer, this.#kind);
    this.#report.liveBuffers++;
    this.#report.liveBytes += buffer.byteLength;
    const [kind, { mostByKind }] = [this.#kind, this.#report];
    const bytes = this.#bytesByKind[kind] = (this.#bytesByKind[kind] ?? 0) + buffer.byteLength;
    mostByKind[kind] = Math.max(bytes, mostByKind[kind] ?? 0);
    this.#notePeak();
    this.#scopes.at(-1)?.adopt(buffer);
    return buffer;
  }

  /** Takes a buffer back. Work recorded before still sees it as it was. */
  release(buffer: PooledBuffer): void {
    const kind = this.#live.get(buffer);
    if (!kind) return;
    this.#live.delete(buffer);
    this.#report.liveBuffers--;
    this.#report.liveBytes -= buffer.byteLength;
    this.#bytesByKind[kind]! -= buffer.byteLength;
    for (const scope of this.#scopes) scope.disown(buffer);
    const shelf = this.#waiting.get(buffer.byteLength) ?? [];
    shelf.push(buffer);
    this.#waiting.set(buffer.byteLength, shelf);
    if (this.#report.reservedBytes > KEEP_FACTOR * this.#report.peakBytes + (16 << 20)) this.trim();
  }

  /**
   * Part of a buffer, which lives as long as the whole; the same part is the same slice. Releasing a
   * slice does nothing.
   *
   * @param byteOffset a multiple of {@linkcode SLICE_ALIGNMENT}
   */
  slice(whole: PooledBuffer, byteOffset: number, byteLength: number): PooledBuffer {
    const key = `${byteOffset}+${byteLength}`;
    const slices = this.#slices.get(whole) ?? new Map<string, PooledBuffer>();
    this.#slices.set(whole, slices);
    const offset = whole.offset + byteOffset;
    const slice = slices.get(key) ?? { id: this.#nextId++, raw: whole.raw, offset, byteLength };
    slices.set(key, slice);
    return slice;
  }

  /** Destroys all buffers that wait for use. */
  trim(): void {
    for (const shelf of this.#waiting.values()) shelf.forEach((b) => this.#destroy(b));
    this.#waiting.clear();
  }

  /** Opens a scope inside the innermost one. */
  scope(): Scope {
    const scope = new Scope(this, this.#scopes.at(-1), () => {
      const at = this.#scopes.indexOf(scope);
      if (at >= 0) this.#scopes.splice(at, 1);
    });
    this.#scopes.push(scope);
    return scope;
  }

  /** Runs `make` outside all scopes, for what outlives them: parameters and caches. */
  persistent<T>(make: () => T): T {
    const scopes = this.#scopes.splice(0);
    try {
      return make();
    } finally {
      this.#scopes.push(...scopes);
    }
  }

  /** Runs `make`; what it allocates counts as memory of that kind. */
  as<T>(kind: MemoryKind, make: () => T): T {
    const outer = this.#kind;
    this.#kind = kind;
    try {
      return make();
    } finally {
      this.#kind = outer;
    }
  }

  /** Destroys every buffer. */
  destroy(): void {
    for (const buffer of [...this.#live.keys()]) this.release(buffer);
    this.trim();
  }

  #notePeak(): void {
    const report = this.#report;
    if (report.liveBytes <= report.peakBytes) return;
    report.peakBytes = report.liveBytes;
    report.peakByKind = { ...this.#bytesByKind };
  }

  #create(size: number): PooledBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const raw = this.#device.createBuffer({ size, usage, label: `pool ${size} bytes` });
    this.#report.reservedBytes += size;
    return { id: this.#nextId++, raw, offset: 0, byteLength: size };
  }

  #destroy(buffer: PooledBuffer): void {
    for (const slice of this.#slices.get(buffer)?.values() ?? []) this.onDestroy(slice);
    this.#slices.delete(buffer);
    this.onDestroy(buffer);
    buffer.raw.destroy();
    this.#report.reservedBytes -= buffer.byteLength;
  }
}

/** Owns the buffers that are allocated while it is the innermost scope. */
export class Scope implements Disposable {
  readonly #pool: BufferPool;
  readonly #parent: Scope | undefined;
  readonly #close: () => void;
  readonly #owned = new Set<PooledBuffer>();

  /** Made by `BufferPool.scope`. */
  constructor(pool: BufferPool, parent: Scope | undefined, close: () => void) {
    this.#pool = pool;
    this.#parent = parent;
    this.#close = close;
  }

  /** Makes this scope the owner of a buffer. */
  adopt(buffer: PooledBuffer): void {
    this.#owned.add(buffer);
  }

  /** Forgets a buffer without releasing it. */
  disown(buffer: PooledBuffer): void {
    this.#owned.delete(buffer);
  }

  /** Moves a tensor to the enclosing scope, or out of all scopes. */
  keep<T extends { buffer: PooledBuffer }>(tensor: T): T {
    if (this.#owned.delete(tensor.buffer)) this.#parent?.adopt(tensor.buffer);
    return tensor;
  }

  /** Gives every owned buffer back to the pool. */
  [Symbol.dispose](): void {
    this.#close();
    for (const buffer of [...this.#owned]) this.#pool.release(buffer);
  }
}

/** Rounds up to eighths of a power of two, so that near sizes share a shelf. */
function sizeClass(byteLength: number): number {
  const step = Math.max(256, 2 ** (Math.floor(Math.log2(byteLength)) - 3));
  return Math.ceil(byteLength / step) * step;
}
