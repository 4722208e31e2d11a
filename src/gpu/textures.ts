/**
 * Scratch textures: copies of buffers from which a shader on a processor reads five times as fast.
 *
 * llvmpipe turns a load from a storage buffer into a loop over the lanes of a vector, with a branch
 * for each; a texel comes by straight vector code. A few textures serve all dispatches in turn,
 * since the stream runs them in order.
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

/** Numbered textures that grow with what is put into them. */
export class ScratchTextures {
  /** Called before a texture is destroyed. */
  onDestroy: (texture: ScratchTexture) => void = () => {};
  readonly #device: GPUDevice;
  readonly #slots: (ScratchTexture | undefined)[] = [];
  #nextId = 1;

  /** No texture is made before it is asked for. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Bytes taken from the adapter. */
  get bytes(): number {
    return this.#slots.reduce((sum, slot) => {
      return sum + (slot ? slot.texture.width * slot.texture.height * 16 : 0);
    }, 0);
  }

  /**
   * The texture of number `slot`, with room for at least `texels`.
   *
   * @throws {VitrailError} if the adapter has no texture of that height.
   */
  get(slot: number, texels: number): ScratchTexture {
    const rows = Math.max(1, Math.ceil(texels / TEXELS_PER_ROW));
    const present = this.#slots[slot];
    if (present && present.texture.height >= rows) return present;
    const limit = this.#device.limits.maxTextureDimension2D;
    if (rows > limit) {
      throw new VitrailError(
        `Cannot copy ${texels * 4} numbers into a texture: ${limit} rows of ` +
          `${TEXELS_PER_ROW * 4} are this adapter's most; use a smaller batch or vocabulary`,
      );
    }
    if (present) this.#destroy(slot);
    const texture = this.#device.createTexture({
      label: `scratch ${slot}`,
      // Powers of two, so that growing is rare.
      size: [TEXELS_PER_ROW, Math.min(limit, 2 ** Math.ceil(Math.log2(rows)))],
      format: "rgba32float",
      usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.STORAGE_BINDING |
        GPUTextureUsage.COPY_DST,
    });
    return this.#slots[slot] = { id: this.#nextId++, texture, view: texture.createView() };
  }

  /** Destroys every texture. */
  destroy(): void {
    this.#slots.forEach((slot, i) => slot && this.#destroy(i));
  }

  #destroy(slot: number): void {
    const present = this.#slots[slot]!;
    this.onDestroy(present);
    present.texture.destroy();
    this.#slots[slot] = undefined;
  }
}
