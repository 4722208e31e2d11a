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
  /** The texture of the WebGPU standard, `rgba32float`. */
  readonly texture: GPUTexture;
  /** The view that is bound. */
  readonly view: GPUTextureView;
}

/** Numbered textures that grow with what is put into them, and textures that are owned. */
export class ScratchTextures {
  /** Called before a texture is destroyed. */
  onDestroy: (texture: ScratchTexture) => void = () => {};
  readonly #device: GPUDevice;
  readonly #slots: (ScratchTexture | undefined)[] = [];
  readonly #owned = new Set<ScratchTexture>();
  #nextId = 1;

  /** No texture is made before it is asked for. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Bytes taken from the adapter. */
  get bytes(): number {
    return [...this.#slots, ...this.#owned].reduce((sum, one) => {
      return sum + (one ? one.texture.width * one.texture.height * 16 : 0);
    }, 0);
  }

  /**
   * The texture of number `slot`, with room for at least `texels`.
   *
   * @throws {VitrailError} if the adapter has no texture of that height.
   */
  get(slot: number, texels: number): ScratchTexture {
    const rows = this.#rowsOf(texels);
    const present = this.#slots[slot];
    if (present && present.texture.height >= rows) return present;
    if (present) this.#destroy(slot);
    // Powers of two, so that growing is rare.
    const limit = this.#device.limits.maxTextureDimension2D;
    const height = Math.min(limit, 2 ** Math.ceil(Math.log2(rows)));
    return this.#slots[slot] = this.#create(`scratch ${slot}`, height);
  }

  /**
   * A texture of its own with room for `texels`, zeros at first, until it is released.
   *
   * @throws {VitrailError} if the adapter has no texture of that height.
   */
  own(texels: number): ScratchTexture {
    const made = this.#create(`own of ${texels} texels`, this.#rowsOf(texels));
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
    this.#slots.forEach((slot, i) => slot && this.#destroy(i));
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

  #create(label: string, rows: number): ScratchTexture {
    const texture = this.#device.createTexture({
      label,
      size: [TEXELS_PER_ROW, rows],
      format: "rgba32float",
      usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.STORAGE_BINDING |
        GPUTextureUsage.COPY_DST,
    });
    return { id: this.#nextId++, texture, view: texture.createView() };
  }

  #destroy(slot: number): void {
    const present = this.#slots[slot]!;
    this.onDestroy(present);
    present.texture.destroy();
    this.#slots[slot] = undefined;
  }
}
