/**
 * A matrix as a texture of four numbers to a texel, and rows that are filled up to whole texels. Whole
 * rows of f16 are copied as they are; what must be filled up becomes f32.
 *
 * @module
 */
import source from "../../shaders/pack_rows.wgsl" with { type: "text" };
import type { Device } from "../gpu/device.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type ScratchTexture, texelBytes, TEXELS_PER_ROW } from "../gpu/textures.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("pack_rows", source);

/** A texture that holds a matrix until the next call with the same slot, or until it is released. */
export interface TexelMatrix {
  /** What a shader binds. */
  texture: ScratchTexture;
  /** Texels from one row of the matrix to the next. */
  stride: number;
}

/**
 * Copies `x`, taken as rows of `columns` (its last dimension by default), into scratch texture number
 * `slot`, or into one of its own. Rows are filled up with zeros to `stride` texels, or to as few as hold
 * them.
 */
export function texels(
  x: Tensor,
  slot: number | "own",
  { columns = x.shape.at(-1)!, stride = Math.ceil(columns / 4) } = {},
): TexelMatrix {
  const { device } = x;
  const rows = x.size / columns;
  const count = rows * stride;
  const whole = columns === 4 * stride;
  const format = whole && x.dtype === "f16" ? "rgba16float" : "rgba32float";
  const texture = slot === "own"
    ? device.textures.own(count, format)
    : device.textures.get(slot, count, format);
  if (whole) {
    device.commands.copyToTexture(x.buffer, texture, rows * stride);
  } else {
    device.dispatch(kernel, "pack", {
      bindings: { x, out: texture },
      uniforms: { rows, columns, stride },
      ...perElement(device, rows * stride),
    });
  }
  return { texture, stride };
}

/** Rows of a texture that are cleared by one copy, at most: of 2 MB. */
const CLEARED_AT_ONCE = 64;

/** Fills a texture with zeros. */
export function clearTexels(device: Device, target: ScratchTexture): void {
  const { height, format } = target.texture;
  const rows = Math.min(height, CLEARED_AT_ONCE);
  using _scope = device.scope();
  const zeros = device.zeros([rows * TEXELS_PER_ROW * texelBytes(format) / 4]);
  for (let row = 0; row < height; row += rows) {
    const texels = Math.min(rows, height - row) * TEXELS_PER_ROW;
    device.commands.copyToTexture(zeros.buffer, target, texels, row);
  }
}

/** A tensor of the type of `like` whose rows of `columns` a kernel writes filled up to `stride` texels. */
export function paddedRows(
  shape: readonly number[],
  like: Tensor,
  { columns, stride }: { columns: number; stride: number },
): { padded: Tensor; finish: () => Tensor } {
  const { device } = like;
  const out = device.tensor(shape, like.dtype);
  if (columns === 4 * stride) return { padded: out, finish: () => out };
  const rows = out.size / columns;
  const padded = device.tensor([rows, 4 * stride], like.dtype);
  const finish = (): Tensor => {
    device.dispatch(kernel, "unpack", {
      bindings: { padded, y: out },
      uniforms: { rows, columns, stride },
      ...perElement(device, out.size),
    });
    device.pool.release(padded.buffer);
    return out;
  };
  return { padded, finish };
}
