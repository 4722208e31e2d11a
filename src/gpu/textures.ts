/**
 * Scratch textures: copies of buffers from which a shader on a processor reads five times as fast.
 *
 * llvmpipe turns a load from a storage buffer into a loop over the lanes of a vector, with a branch
 * for each; a texel comes by straight vector code. A few textures serve all dispatches in turn,
 * since the stream runs them in order; what is read again and again has one of its own.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Owned, ResourceOwner } from "./pooled_buffer.ts";
import type { CurrentScope } from "./scope.ts";
import { Shelf } from "./shelf.ts";

/** Texels of four numbers in one row of a texture; matmul_texels.wgsl counts on it. */
export const TEXELS_PER_ROW = 2048;

/** A texture that holds numbers in rows of {@linkcode TEXELS_PER_ROW} texels. */
export interface ScratchTexture {
  /** Unique within its device. */
  readonly id: number;
  /** The texture of the WebGPU standard, of the format that was asked for. */
  readonly texture: GPUTexture;
  /** The view that is bound. */
  readonly view: GPUTextureView;
  /** Whether it was given back: its use is an error then. */
  readonly isReleased?: boolean;
}

/** A texture that belongs to the scope in which it was made, until it is given back. */
export class OwnTexture implements ScratchTexture, Owned {
  /** Unique within its device, and the same for each loan of the same texture. */
  readonly id: number;
  /** The texture of the WebGPU standard. */
  readonly texture: GPUTexture;
  /** The view that is bound. */
  readonly view: GPUTextureView;
  /** Whether it holds what another loan left; if not, it holds zeros. */
  readonly isUsed: boolean;
  /** The scope that gives it back, if there is one. */
  owner: ResourceOwner | undefined;
  /** Whether it was given back. */
  isReleased = false;
  readonly #lender: ScratchTextures;

  /** `ScratchTextures.own` makes them. */
  constructor({ id, texture, view }: ScratchTexture, lender: ScratchTextures, isUsed: boolean) {
    this.id = id;
    this.texture = texture;
    this.view = view;
    this.isUsed = isUsed;
    this.#lender = lender;
  }

  /** Gives it back; a second time does nothing. */
  giveBack(): void {
    this.#lender.release(this);
  }
}

/** What a texel's four numbers are stored as; a shader reads f32 from both. */
export type TexelFormat = "rgba32float" | "rgba16float";

/** Bytes of a texel. */
export function texelBytes(format: string): number {
  return format === "rgba16float" ? 8 : 16;
}

/** Bytes of textures that wait for another loan, at most; beyond it they are destroyed. */
const MOST_WAITING = 128 << 20;

function bytesOf({ width, height, format }: GPUTexture): number {
  return width * height * texelBytes(format);
}

/** Numbered textures that grow with what is put into them, and textures that are owned. */
export class ScratchTextures {
  /** Called before a texture is destroyed. */
  onDestroy: (texture: ScratchTexture) => void = () => {};
  /** Called before a texture is lent, with what is done: throws if the device is gone. */
  requireDevice: (action: string) => void = () => {};
  readonly #device: GPUDevice;
  readonly #slots = new Map<string, ScratchTexture>();
  readonly #scopes: CurrentScope | undefined;
  readonly #owned = new Map<OwnTexture, ScratchTexture>();
  /** Textures that wait for another loan, by format and rows. */
  readonly #waiting = new Map<string, Shelf<ScratchTexture>>();
  #waitingBytes = 0;
  #nextId = 1;

  /** No texture is made before it is asked for; own ones belong to the scopes that are current. */
  constructor(device: GPUDevice, scopes?: CurrentScope) {
    this.#device = device;
    this.#scopes = scopes;
  }

  /** Textures of their own on loan at present. */
  get ownCount(): number {
    return this.#owned.size;
  }

  /** Textures that wait for another loan. */
  get waitingCount(): number {
    return [...this.#waiting.values()].reduce((sum, shelf) => sum + shelf.size, 0);
  }

  /** Bytes taken from the adapter, without those of textures that wait for another loan. */
  get bytes(): number {
    const inUse = [...this.#slots.values(), ...this.#owned.keys()];
    return inUse.reduce((sum, { texture }) => sum + bytesOf(texture), 0);
  }

  /**
   * The texture of number `slot`, with room for at least `texels`; there is one of each format.
   *
   * @throws {VitrailError} if the adapter has no texture of that height.
   */
  get(slot: number, texels: number, format: TexelFormat = "rgba32float"): ScratchTexture {
    this.requireDevice("allocate a texture");
    const rows = this.#rowsOf(texels);
    const key = `${format} ${slot}`;
    const present = this.#slots.get(key);
    if (present && present.texture.height >= rows) return present;
    if (present) this.#destroy(key);
    // Powers of two, so that growing is rare.
    const limit = this.#device.limits.maxTextureDimension2D;
    const height = Math.min(limit, 2 ** Math.ceil(Math.log2(rows)));
    const made = this.#create(`scratch ${slot}`, height, format);
    this.#slots.set(key, made);
    return made;
  }

  /**
   * A texture of its own with room for `texels`, until it is released; of unspecified contents if it
   * `isUsed`, of zeros if not. It belongs to the current scope, if there is one.
   *
   * @throws {VitrailError} if the adapter has no texture of that height.
   */
  own(texels: number, format: TexelFormat = "rgba32float"): OwnTexture {
    this.requireDevice("allocate a texture");
    const rows = this.#rowsOf(texels);
    const waiting = this.#waiting.get(`${format} ${rows}`)?.take();
    if (waiting) this.#waitingBytes -= bytesOf(waiting.texture);
    const lent = waiting ?? this.#create(`own of ${rows} rows`, rows, format);
    const own = new OwnTexture(lent, this, waiting !== undefined);
    this.#owned.set(own, lent);
    this.#scopes?.scope?.take(own);
    return own;
  }

  /**
   * Takes a texture of its own back: the next one of that size is the same, and its bind groups are known.
   * What is recorded still sees it as it was.
   */
  release(own: ScratchTexture): void {
    const lent = own instanceof OwnTexture && this.#owned.get(own);
    if (!lent) return;
    this.#owned.delete(own);
    own.isReleased = true;
    own.owner?.disown(own);
    const bytes = bytesOf(lent.texture);
    if (this.#waitingBytes + bytes > MOST_WAITING) return this.#end(lent);
    this.#waitingBytes += bytes;
    const key = `${lent.texture.format} ${lent.texture.height}`;
    const shelf = this.#waiting.get(key) ?? new Shelf();
    shelf.put(lent);
    this.#waiting.set(key, shelf);
  }

  /** Destroys the textures that wait for use. */
  trim(): void {
    for (const shelf of this.#waiting.values()) shelf.clear().forEach((lent) => this.#end(lent));
    this.#waiting.clear();
    this.#waitingBytes = 0;
  }

  /** Destroys every texture. */
  destroy(): void {
    for (const key of [...this.#slots.keys()]) this.#destroy(key);
    for (const own of [...this.#owned.keys()]) this.release(own);
    this.trim();
  }

  #rowsOf(texels: number): number {
    const rows = Math.max(1, Math.ceil(texels / TEXELS_PER_ROW));
    const limit = this.#device.limits.maxTextureDimension2D;
    if (rows <= limit) return rows;
    throw new VitrailError(
      `Cannot copy ${texels * 4} numbers into a texture: ${limit} rows of ` +
        `${TEXELS_PER_ROW * 4} are this adapter's most; use a smaller batch or vocabulary`,
    );
  }

  #create(label: string, rows: number, format: TexelFormat): ScratchTexture {
    const texture = this.#device.createTexture({
      label,
      size: [TEXELS_PER_ROW, rows],
      format,
      usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.STORAGE_BINDING |
        GPUTextureUsage.COPY_DST,
    });
    return { id: this.#nextId++, texture, view: texture.createView() };
  }

  #destroy(key: string): void {
    this.#end(this.#slots.get(key)!);
    this.#slots.delete(key);
  }

  #end(texture: ScratchTexture): void {
    this.onDestroy(texture);
    texture.texture.destroy();
  }
}
