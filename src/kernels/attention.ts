/**
 * Fused scaled-dot-product attention: memory linear in the length of the sequence.
 *
 * @module
 */
import backward from "../../shaders/attention_backward.wgsl" with { type: "text" };
import forward from "../../shaders/attention.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Overrides } from "../gpu/pipelines.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { DropoutKey } from "./dropout.ts";
import { perElement } from "./launch.ts";

const forwardKernel = new Kernel("attention", forward);
const backwardKernel = new Kernel("attention_backward", backward);

/** Queries, or keys, that one invocation owns. */
const SIDE = 8;

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

function dispatchArguments(qkv: Tensor, options: AttentionOptions, lanesFor: AttentionShape) {
  const { batch, time, headSize, scale, maskStrides } = lanesFor;
  const { heads, causal, mask, dropout } = options;
  const { overrides, workgroups } = perElement(
    qkv.device,
    batch * heads * Math.ceil(time / SIDE),
    1,
  );
  const variant: Overrides = {
    ...overrides,
    causal,
    has_mask: mask !== undefined,
    has_dropout: dropout !== undefined,
  };
  return {
    uniforms: {
      batch,
      heads,
      time,
      head_size: headSize,
      scale,
      ...maskStrides,
      ...(dropout ?? { probability: 0, place: 0, step: 0, seed: 0 }),
    },
    overrides: variant,
    workgroups,
  };
}

/** softmax(scale·Q·Kᵀ + mask)·V for packed qkv (B, T, 3·C). */
export function attention(qkv: Tensor, options: AttentionOptions): AttentionResult {
  const shape = attentionShape(qkv, options);
  const { batch, time, channels } = shape;
  const out = qkv.device.tensor([batch, time, channels]);
  const logSumExp = qkv.device.tensor([batch, options.heads, time]);
  qkv.device.dispatch(forwardKernel, "forward", {
    bindings: { qkv, mask: options.mask ?? qkv, out, log_sum_exp: logSumExp },
    ...dispatchArguments(qkv, options, shape),
  });
  return { out, logSumExp };
}

/** The gradient with respect to qkv (B, T, 3·C), given that of the output. */
export function attentionBackward(
  qkv: Tensor,
  dOut: Tensor,
  options: AttentionOptions & { saved: AttentionResult },
): Tensor {
  const shape = attentionShape(qkv, options);
  const { out, logSumExp } = options.saved;
  const dQkv = qkv.device.tensor(qkv.shape);
  const delta = qkv.device.tensor(logSumExp.shape);
  const common = {
    bindings: {
      qkv,
      mask: options.mask ?? qkv,
      out,
      log_sum_exp: logSumExp,
      d_out: dOut,
      delta,
      d_qkv: dQkv,
    },
    ...dispatchArguments(qkv, options, shape),
  };
  qkv.device.dispatch(backwardKernel, "queries", common);
  qkv.device.dispatch(backwardKernel, "keys", common);
  qkv.device.pool.release(delta.buffer);
  return dQkv;
}
