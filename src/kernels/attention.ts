/**
 * Fused scaled-dot-product attention: memory linear in the length of the sequence.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import {
  type AttentionCall,
  type AttentionTensors,
  type AttentionVariant,
  classOf,
  fits,
  headRows,
  launch,
  shipped,
  tunable,
} from "./attention_variants.ts";
import type { DropoutKey } from "./dropout.ts";
import { paddedRows, texels } from "./texels.ts";

export type { AttentionVariant };

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
  /** Overrides the choice of variant. */
  variant?: AttentionVariant;
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

/** softmax(scale·Q·Kᵀ + mask)·V for packed qkv (B, T, 3·C). */
export function attention(qkv: Tensor, options: AttentionOptions): AttentionResult {
  const { device } = qkv;
  const shape = attentionShape(qkv, options);
  const { batch, time, channels, headSize } = shape;
  const { layout } = headRows(headSize);
  const logSumExp = device.tensor([batch, options.heads, time]);
  const { padded, finish } = paddedRows([batch, time, channels], qkv, layout);
  attend("forward", qkv, {
    shape,
    options,
    tensors: {
      qkv: texels(qkv, 0, layout).texture,
      mask: options.mask ?? device.nothing,
      log_sum_exp: logSumExp,
      result: padded,
    },
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
  const { layout } = headRows(shape.headSize);
  const { out, logSumExp } = options.saved;
  const delta = device.tensor(logSumExp.shape);
  const { padded, finish } = paddedRows(qkv.shape, qkv, layout);
  attend("backward", qkv, {
    shape,
    options,
    tensors: {
      qkv: texels(qkv, 0, layout).texture,
      outs: texels(out, 1, layout).texture,
      d_outs: texels(dOut, 2, layout).texture,
      mask: options.mask ?? device.nothing,
      log_sum_exp: logSumExp,
      delta,
      result: padded,
    },
  });
  device.pool.release(delta.buffer);
  return finish();
}

/** Records one pass by the variant that is asked for, or known to be fast. */
function attend(
  pass: AttentionCall["pass"],
  { device, dtype }: Tensor,
  { shape, options, tensors }: {
    shape: AttentionShape;
    options: AttentionOptions;
    tensors: AttentionTensors;
  },
): void {
  const { batch, time, headSize, scale, maskStrides } = shape;
  const { heads, causal, mask, dropout, variant } = options;
  const call: AttentionCall = {
    pass,
    batch,
    heads,
    time,
    headSize,
    causal,
    hasMask: mask !== undefined,
    hasDropout: dropout !== undefined,
    half: dtype === "f16",
  };
  if (variant !== undefined && !fits(variant, call, device)) {
    throw new VitrailError(
      `Cannot attend by ${variant} with heads of ${headSize}: they need more than one slice, or more ` +
        "workgroup memory than this adapter has",
    );
  }
  const random = dropout ?? { probability: 0, place: 0, step: 0, seed: 0 };
  const uniforms = { scale, ...maskStrides, ...random };
  launch(device, variant ?? choose(device, call), { call, tensors, uniforms });
}

function choose(device: Device, call: AttentionCall): AttentionVariant {
  const usual = shipped(device, call);
  const found = device.variants.choose(classOf(call), usual, () => tunable(device, call, usual));
  return fits(found, call, device) ? found : usual;
}
