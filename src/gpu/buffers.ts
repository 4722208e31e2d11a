/**
 * The buffer pool: storage buffers are handed out, scoped and used again, and destroyed by us,
 * because a `GPUBuffer` puts no pressure on the garbage collector.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { type MemoryBlock, type MemoryKind, PooledBuffer, releasedError } from "./pooled_buffer.ts";
import { CurrentScope, type Scope } from "./scope.ts";
import { Shelf } from "./shelf.ts";

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
  /** Called with the id of a buffer, or of a slice of one, before it is destroyed. */
  onDestroy: (id: number) => void = () => {};
  /** Called before anything is allocated, with what is done: throws if the device is gone. */
  requireDevice: (action: string) => void = () => {};
  readonly #device: GPUDevice;
  readonly #waiting = new Map<number, Shelf<MemoryBlock>>();
  readonly #live = new Map<PooledBuffer, MemoryBlock>();
  readonly #bytesByKind: MemoryReport["peakByKind"] = {};
  readonly #scopes: CurrentScope;
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

  /** A pool over one device, whose buffers belong to the scopes that are current. */
  constructor(device: GPUDevice, scopes: CurrentScope = new CurrentScope()) {
    this.#device = device;
    this.#scopes = scopes;
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
    this.requireDevice("allocate a tensor");
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
    const block = this.#waiting.get(size)?.take() ?? this.#create(Math.min(size, limit));
    const buffer = new PooledBuffer(block, { pool: this });
    buffer.kind = this.#kind;
    this.#live.set(buffer, block);
    this.#report.liveBuffers++;
    this.#report.liveBytes += buffer.byteLength;
    const [kind, { mostByKind }] = [this.#kind, this.#report];
    const bytes = this.#bytesByKind[kind] = (this.#bytesByKind[kind] ?? 0) + buffer.byteLength;
    mostByKind[kind] = Math.max(bytes, mostByKind[kind] ?? 0);
    this.#notePeak();
    this.#scopes.scope?.take(buffer);
    return buffer;
  }

  /**
   * Takes a buffer back. Work recorded before still sees it as it was; to use it later is an error. A
   * slice, or what was given back before, changes nothing.
   */
  release(buffer: PooledBuffer): void {
    const block = this.#live.get(buffer);
    if (!block) return;
    this.#live.delete(buffer);
    buffer.isReleased = true;
    this.#report.liveBuffers--;
    this.#report.liveBytes -= buffer.byteLength;
    this.#bytesByKind[buffer.kind]! -= buffer.byteLength;
    buffer.owner?.disown(buffer);
    const shelf = this.#waiting.get(buffer.byteLength) ?? new Shelf();
    shelf.put(block);
    this.#waiting.set(buffer.byteLength, shelf);
    if (this.#report.reservedBytes > KEEP_FACTOR * this.#report.peakBytes + (16 << 20)) this.trim();
  }

  /**
   * Part of a buffer, which lives as long as the whole; the same part is the same slice. Releasing a slice
   * does nothing.
   *
   * @param byteOffset a multiple of {@linkcode SLICE_ALIGNMENT}
   * @throws {VitrailError} if the buffer was given back
   */
  slice(of: PooledBuffer, byteOffset: number, byteLength: number): PooledBuffer {
    const { whole, raw } = of;
    const block = this.#live.get(whole);
    if (!block) throw releasedError("take part of a tensor", of);
    const offset = of.offset + byteOffset;
    const key = `${offset}+${byteLength}`;
    const known = whole.slices.get(key);
    if (known) return known;
    const id = block.sliceIds.get(key) ?? this.#nextId++;
    block.sliceIds.set(key, id);
    const slice = new PooledBuffer({ id, raw, byteLength }, { of: whole, offset });
    whole.slices.set(key, slice);
    return slice;
  }

  /** Destroys all buffers that wait for use. */
  trim(): void {
    for (const shelf of this.#waiting.values()) shelf.clear().forEach((b) => this.#destroy(b));
    this.#waiting.clear();
  }

  /** Opens a scope inside the current one: see {@linkcode Scope}. */
  scope(): Scope {
    return this.#scopes.open();
  }

  /** A scope that owns what is made within its `run`: see {@linkcode Scope}. */
  detachedScope(): Scope {
    return this.#scopes.detached();
  }

  /** Notes that the code which runs now may wait from here on: see {@linkcode Scope}. */
  pauseScopes(): void {
    this.#scopes.pause();
  }

  /**
   * Runs `make`, whose results outlive all scopes: parameters and caches. If it fails, what it made by then
   * goes back.
   */
  persistent<T>(make: () => T): T {
    using scope = this.detachedScope();
    const made = scope.run(make);
    scope.handOver();
    return made;
  }

  /**
   * Runs `make`, which makes several things of the current scope: all of them, or if it fails none.
   */
  together<T>(make: () => T): T {
    using scope = this.detachedScope();
    const made = scope.run(make);
    scope.handOver(this.#scopes.scope);
    return made;
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

  #create(size: number): MemoryBlock {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const raw = this.#device.createBuffer({ size, usage, label: `pool ${size} bytes` });
    this.#report.reservedBytes += size;
    return { id: this.#nextId++, raw, byteLength: size, sliceIds: new Map() };
  }

  #destroy({ id, raw, byteLength, sliceIds }: MemoryBlock): void {
    for (const slice of sliceIds.values()) this.onDestroy(slice);
    this.onDestroy(id);
    raw.destroy();
    this.#report.reservedBytes -= byteLength;
  }
}

/** Rounds up to eighths of a power of two, so that near sizes share a shelf. */
function sizeClass(byteLength: number): number {
  const step = Math.max(256, 2 ** (Math.floor(Math.log2(byteLength)) - 3));
  return Math.ceil(byteLength / step) * step;
}
