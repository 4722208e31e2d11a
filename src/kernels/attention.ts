/**
 * Fused scaled-dot-product attention: memory linear in the length of the sequence.
 *
 * @module
 */
import source from "../../shaders/attention.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Device } from "../gpu/device.ts";
import type { Overrides } from "../gpu/pipelines.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { DropoutKey } from "./dropout.ts";
import { lanesOf, rectangle } from "./launch.ts";
import { paddedRows, texels } from "./texels.ts";

const kernel = new Kernel("attention", source);

/** Queries, or keys, that one invocation owns. */
const SIDE = 4;
/** Sequences from which on an invocation owns eight: shorter ones do not pay for its compilation. */
const WIDE_FROM = 128;
/** Chunks of four numbers that fit the registers of an invocation. */
const MOST_CHUNKS = 16;

/** How attention looks at its sequence. */
export interface AttentionOptions {
  /** Number of heads NH; channels divide by it. */
  heads: number;
  /** Each place sees itself and what came before, and no more. */
  causal: boolean;
  /**
   * Added to the scores: (B, T) for key padding, or (B or 1, NH or 1, T or 1, T); -Infinity, or
   * anything of -1e38 or less, hides a key. A query that sees no key gets zeros.
   */
  mask?: Tensor;
  /** Factor on the scores; 1/√HS if absent. */
  scale?: number;
  /** Drops weights of the pattern. */
  dropout?: DropoutKey;
}

/** What the forward pass leaves for the backward pass. */
export interface AttentionResult {
  /** (B, T, C). */
  out: Tensor;
  /** log Σ exp of each query's scores (B, NH, T). */
  logSumExp: Tensor;
}

/** Sizes and strides of one call. */
export interface AttentionShape {
  /** B. */
  batch: number;
  /** T. */
  time: number;
  /** C. */
  channels: number;
  /** HS = C/NH. */
  headSize: number;
  /** Factor on the scores. */
  scale: number;
  /** Strides of the mask; zero where it repeats. */
  maskStrides: { mask_batch: number; mask_head: number; mask_query: number };
}

/** Checks the shapes of a call. */
export function attentionShape(qkv: Tensor, options: AttentionOptions): AttentionShape {
  const [batch, time, tripled] = qkv.shape;
  const channels = tripled / 3;
  const headSize = channels / options.heads;
  if (qkv.shape.length !== 3 || !Number.isInteger(headSize)) {
    throw new VitrailError(
      `Cannot attend over (${qkv.shape.join(", ")}) with ${options.heads} heads: ` +
        "wanted (B, T, 3·C) with C a multiple of the number of heads",
    );
  }
  const { mask, scale = 1 / Math.sqrt(headSize) } = options;
  const maskStrides = { mask_batch: 0, mask_head: 0, mask_query: 0 };
  if (mask) {
    const [b, h, q, k] = mask.shape.length === 2
      ? [mask.shape[0], 1, 1, mask.shape[1]]
      : mask.shape;
    const fits = (n: number, full: number) => n === 1 || n === full;
    if (!fits(b, batch) || !fits(h, options.heads) || !fits(q, time) || k !== time) {
      throw new VitrailError(
        `Cannot mask attention over (${batch}, ${time}) with (${mask.shape.join(", ")}): ` +
          `wanted (${batch}, ${time}) or (${batch} or 1, ${options.heads} or 1, ${time} or 1, ${time})`,
      );
    }
    maskStrides.mask_query = q > 1 ? k : 0;
    maskStrides.mask_head = h > 1 ? q * k : 0;
    maskStrides.mask_batch = b > 1 ? h * q * k : 0;
  }
  return { batch, time, channels, headSize, scale, maskStrides };
}

/** How rows of heads lie in textures: so many slices of so many chunks of four numbers. */
function rowsOf({ headSize }: AttentionShape) {
  const all = Math.ceil(headSize / 4);
  const slices = Math.ceil(all / MOST_CHUNKS);
  const chunks = Math.ceil(all / slices);
  return { slices, chunks, layout: { columns: headSize, stride: slices * chunks } };
}

/** Heads along x, blocks of time along y, slices along z. */
function launch(device: Device, shape: AttentionShape, options: AttentionOptions) {
  const { batch, time, scale, maskStrides } = shape;
  const { heads, causal, mask, dropout } = options;
  const { slices, chunks } = rowsOf(shape);
  // A processor's registers overflow into its cache either way; a graphics processor's into memory.
  const wide = device.isCpu && slices === 1 && time >= WIDE_FROM;
  // Lanes of a vector work on different heads, which walk equally far; with few heads some work on
  // different places.
  const lanes = lanesOf(device);
  const blocks = Math.ceil(time / (wide ? 2 * SIDE : SIDE));
  const [lanesX, lanesY] = rectangle(lanes, batch * heads, blocks);
  const overrides: Overrides = {
    chunks,
    slices,
    causal,
    has_mask: mask !== undefined,
    has_dropout: dropout !== undefined,
    wide,
    lanes_x: lanesX,
    lanes,
  };
  const workgroups: [number, number, number] = [
    Math.ceil(batch * heads / lanesX),
    Math.ceil(blocks / lanesY),
    slices,
  ];
  const random = dropout ?? { probability: 0, place: 0, step: 0, seed: 0 };
  const uniforms = { batch, heads, time, scale, ...maskStrides, ...random };
  return { uniforms, overrides, workgroups };
}

/** softmax(scale·Q·Kᵀ + mask)·V for packed qkv (B, T, 3·C). */
export function attention(qkv: Tensor, options: AttentionOptions): AttentionResult {
  const { device } = qkv;
  const shape = attentionShape(qkv, options);
  const { batch, time, channels } = shape;
  const { layout } = rowsOf(shape);
  const logSumExp = device.tensor([batch, options.heads, time]);
  const { padded, finish } = paddedRows([batch, time, channels], qkv, layout);
  device.dispatch(kernel, "forward", {
    bindings: {
      qkv: texels(qkv, 0, layout).texture,
      mask: options.mask ?? device.nothing,
      result: padded,
      log_sum_exp: logSumExp,
    },
    ...launch(device, shape, options),
  });
  return { out: finish(), logSumExp };
}

/** The gradient with respect to qkv (B, T, 3·C), given that of the output. */
export function attentionBackward(
  qkv: Tensor,
  dOut: Tensor,
  options: AttentionOptions & { saved: AttentionResult },
): Tensor {
  const { device } = qkv;
  const shape = attentionShape(qkv, options);
  const { layout } = rowsOf(shape);
  const { out, logSumExp } = options.saved;
  const delta = device.tensor(logSumExp.shape);
  const { padded, finish } = paddedRows(qkv.shape, qkv, layout);
  const args = {
    bindings: {
      qkv: texels(qkv, 0, layout).texture,
      outs: texels(out, 1, layout).texture,
      d_outs: texels(dOut, 2, layout).texture,
      mask: options.mask ?? device.nothing,
      log_sum_exp: logSumExp,
      delta,
      result: padded,
    },
    ...launch(device, shape, options),
  };
  device.dispatch(kernel, "queries", args);
  device.dispatch(kernel, "keys", args);
  device.pool.release(delta.buffer);
  return finish();
}
