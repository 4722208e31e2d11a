/**
 * A buffer on loan from the pool. Every loan is an object of its own, so that what was given back is
 * recognised, also after the memory under it has been lent again.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";

/** What memory is for, if the allocating code says so; activations otherwise. */
export type MemoryKind = "weights" | "gradients" | "optimizer state" | "activations" | "logits";

/** An owner of resources, which learns when one of them is given back: a scope. */
export interface ResourceOwner {
  /** Forgets a resource without giving it back. */
  disown(resource: Owned): void;
}

/** A resource that a scope can own: a buffer, or a texture of its own. */
export interface Owned {
  /** The scope that gives it back, if there is one. */
  owner: ResourceOwner | undefined;
  /** Gives it back; a second time does nothing. */
  giveBack(): void;
}

/** A pool that takes buffers back. */
export interface Lender {
  /** Takes a buffer back. */
  release(buffer: PooledBuffer): void;
}

/** Memory taken from the adapter, which the pool lends again and again. */
export interface MemoryBlock {
  /** Unique within its device; bind groups are cached by it. */
  readonly id: number;
  /** The buffer of the WebGPU standard. */
  readonly raw: GPUBuffer;
  /** Its size in bytes. */
  readonly byteLength: number;
  /** Ids of its slices by where they lie: the same for every loan. */
  readonly sliceIds: Map<string, number>;
}

/** A storage buffer on loan, or a slice of one. */
export class PooledBuffer implements Owned {
  /** Unique within its device, and the same for each loan of the same memory. */
  readonly id: number;
  /** The buffer of the WebGPU standard. */
  readonly raw: GPUBuffer;
  /** Where a slice begins within `raw`, in bytes; 0 for a whole buffer. */
  readonly offset: number;
  /** Its size in bytes, which may exceed what was asked for by up to an eighth. */
  readonly byteLength: number;
  /** The buffer that a slice is part of; itself for a whole buffer. */
  readonly whole: PooledBuffer;
  /** Whether a whole buffer went back to the pool; a slice goes with its whole. */
  isReleased = false;
  /** The shape of the tensor that it was lent for, for error messages. */
  shape: readonly number[] | undefined;
  /** The kind of memory that it counts as. */
  kind: MemoryKind = "activations";
  #slices: Map<string, PooledBuffer> | undefined;
  /** The scope that gives it back, if there is one. */
  owner: ResourceOwner | undefined;
  readonly #pool: Lender | undefined;

  /** Made by the pool, and directly for a buffer that is not pooled. */
  constructor(
    { id, raw, byteLength }: Pick<MemoryBlock, "id" | "raw" | "byteLength">,
    options: { pool?: Lender; of?: PooledBuffer; offset?: number } = {},
  ) {
    this.id = id;
    this.raw = raw;
    this.byteLength = byteLength;
    this.offset = options.offset ?? 0;
    this.whole = options.of ?? this;
    this.#pool = options.pool;
  }

  /** A placeholder for a buffer that was given back: its use is an error. */
  static released(
    { id, raw, byteLength }: PooledBuffer,
    shape: readonly number[],
  ): PooledBuffer {
    const gone = new PooledBuffer({ id, raw, byteLength });
    gone.shape = shape;
    gone.isReleased = true;
    return gone;
  }

  /** Gives it back to its pool; a slice, or what was given back before, changes nothing. */
  giveBack(): void {
    this.#pool?.release(this);
  }

  /** Slices of a whole buffer by where they lie. */
  get slices(): Map<string, PooledBuffer> {
    return this.#slices ??= new Map();
  }
}

/** The error of using a buffer that was given back; `action` is such as `read a tensor`. */
export function releasedError(
  action: string,
  buffer: PooledBuffer,
  shape: readonly number[] | undefined = buffer.shape ?? buffer.whole.shape,
): VitrailError {
  const what = shape ? ` of shape (${shape.join(", ")})` : ` of ${buffer.byteLength} bytes`;
  return new VitrailError(
    `Cannot ${action}${what}: its memory was given back, since its scope has ended or what it ` +
      "belonged to was disposed of; make it in a scope that lasts longer, or keep it with scope.keep()",
  );
}
