/**
 * A matrix as a texture of four numbers to a texel, for kernels that run on a processor.
 *
 * @module
 */
import source from "../../shaders/pack_texels.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { ScratchTexture } from "../gpu/textures.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("pack_texels", source);

/** A texture that holds a matrix until the next call with the same slot. */
export interface TexelMatrix {
  /** What a shader binds. */
  texture: ScratchTexture;
  /** Texels from one row of the matrix to the next. */
  stride: number;
}

/**
 * Copies `x`, whose last dimension is taken as its columns, into scratch texture number `slot`.
 * Where the columns are no multiple of four, each row is filled up with zeros.
 */
export function texels(x: Tensor, slot: number): TexelMatrix {
  const { device } = x;
  const columns = x.shape.at(-1)!;
  const rows = x.size / columns;
  const stride = Math.ceil(columns / 4);
  const texture = device.textures.get(slot, rows * stride);
  if (columns % 4 === 0) {
    device.commands.copyToTexture(x.buffer, texture, rows * stride);
  } else {
    device.dispatch(kernel, "forward", {
      bindings: { x, out: texture },
      uniforms: { rows, columns, stride },
      ...perElement(device, rows * stride),
    });
  }
  return { texture, stride };
}
