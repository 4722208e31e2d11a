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
}

/** What a texel's four numbers are stored as; a shader reads f32 from both. */
export type TexelFormat = "rgba32float" | "rgba16float";

/** Bytes of a texel. */
export function texelBytes(format: string): number {
  return format === "rgba16float" ? 8 : 16;
}

/** Numbered textures that grow with what is put into them, and textures that are owned. */
export class ScratchTextures {
  /** Called before a texture is destroyed. */
  onDestroy: (texture: ScratchTexture) => void = () => {};
  readonly #device: GPUDevice;
  readonly #slots = new Map<string, ScratchTexture>();
  readonly #owned = new Set<ScratchTexture>();
  #nextId = 1;

  /** No texture is made before it is asked for. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Bytes taken from the adapter. */
  get bytes(): number {
    return [...this.#slots.values(), ...this.#owned].reduce((sum, { texture }) => {
      return sum + texture.width * texture.height * texelBytes(texture.format);
    }, 0);
  }

  /**
   * The texture of number `slot`, with room for at least `texels`; there is one of each format.
   *
   * @throws {VitrailError} if the adapter has no texture of that height.
   */
  get(slot: number, texels: number, format: TexelFormat = "rgba32float"): ScratchTexture {
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
   * A texture of its own with room for `texels`, zeros at first, until it is released.
   *
   * @throws {VitrailError} if the adapter has no texture of that height.
   */
  own(texels: number, format: TexelFormat = "rgba32float"): ScratchTexture {
    const made = this.#create(`own of ${texels} texels`, this.#rowsOf(texels), format);
    this.#owned.add(made);
    return made;
  }

  /** Destroys a texture of its own. What is recorded still sees it. */
  release(owned: ScratchTexture): void {
    if (!this.#owned.delete(owned)) return;
    this.onDestroy(owned);
    owned.texture.destroy();
  }

  /** Destroys every texture. */
  destroy(): void {
    for (const key of [...this.#slots.keys()]) this.#destroy(key);
    this.#owned.forEach((owned) => this.release(owned));
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
    const present = this.#slots.get(key)!;
    this.onDestroy(present);
    present.texture.destroy();
    this.#slots.delete(key);
  }
}
