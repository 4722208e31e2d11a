/**
 * Fused scaled-dot-product attention: memory linear in the length of the sequence.
 *
 * @module
 */
import backward from "../../shaders/attention_backward.wgsl" with { type: "text" };
import forward from "../../shaders/attention.wgsl" with { type: "text" };
import onTexels from "../../shaders/attention_texels.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Device } from "../gpu/device.ts";
import type { Overrides } from "../gpu/pipelines.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { DropoutKey } from "./dropout.ts";
import { perElement } from "./launch.ts";
import { texels } from "./texels.ts";

const forwardKernel = new Kernel("attention", forward);
const backwardKernel = new Kernel("attention_backward", backward);
const texelKernel = new Kernel("attention_texels", onTexels);

/** Queries, or keys, that one invocation owns. */
const SIDE = 8;
/** The same where the operands are textures. */
const TEXEL_SIDE = 4;
/** The largest head that fits the registers of attention_texels.wgsl. */
const LARGEST_TEXEL_HEAD = 64;

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
  /** Overrides the choice of shader: `texels` is for processors and heads of 4, 8, … 64. */
  variant?: AttentionVariant;
}

/** Which shader computes attention. */
export type AttentionVariant = "buffers" | "texels";

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

/** Sizes and variants of either shader. */
function settings(shape: AttentionShape, { heads, causal, mask, dropout }: AttentionOptions) {
  const { batch, time, headSize, scale, maskStrides } = shape;
  const overrides: Overrides = {
    causal,
    has_mask: mask !== undefined,
    has_dropout: dropout !== undefined,
  };
  const random = dropout ?? { probability: 0, place: 0, step: 0, seed: 0 };
  return {
    uniforms: { batch, heads, time, head_size: headSize, scale, ...maskStrides, ...random },
    overrides,
  };
}

/** How the shader over buffers is launched: one invocation for each block of each head. */
function onBuffersLaunch(device: Device, shape: AttentionShape, options: AttentionOptions) {
  const { uniforms, overrides } = settings(shape, options);
  const blocks = shape.batch * options.heads * Math.ceil(shape.time / SIDE);
  const launch = perElement(device, blocks, 1);
  return { uniforms, ...launch, overrides: { ...overrides, ...launch.overrides } };
}

/** How the shader over textures is launched: heads along x, blocks of time along y. */
function onTexelsLaunch(shape: AttentionShape, options: AttentionOptions) {
  const { uniforms, overrides } = settings(shape, options);
  const workgroups: [number, number] = [
    Math.ceil(shape.batch * options.heads / 8),
    Math.ceil(shape.time / TEXEL_SIDE),
  ];
  return {
    uniforms,
    overrides: { ...overrides, chunks: shape.headSize / 4, lanes: 8 },
    workgroups,
  };
}

function usesTexels(device: Device, { headSize }: AttentionShape, variant?: AttentionVariant) {
  const possible = headSize % 4 === 0 && headSize <= LARGEST_TEXEL_HEAD;
  return possible && (variant ?? (device.isCpu ? "texels" : "buffers")) === "texels";
}

/** softmax(scale·Q·Kᵀ + mask)·V for packed qkv (B, T, 3·C). */
export function attention(qkv: Tensor, options: AttentionOptions): AttentionResult {
  const { device } = qkv;
  const shape = attentionShape(qkv, options);
  const { batch, time, channels, headSize } = shape;
  const out = device.tensor([batch, time, channels]);
  const logSumExp = device.tensor([batch, options.heads, time]);
  const bindings = { qkv, mask: options.mask ?? qkv, out, log_sum_exp: logSumExp };
  if (usesTexels(device, shape, options.variant)) {
    device.dispatch(texelKernel, "forward", {
      bindings: {
        ...bindings,
        qkv: texels(qkv.reshape([qkv.size / headSize, headSize]), 0).texture,
      },
      ...onTexelsLaunch(shape, options),
    });
  } else {
    device.dispatch(forwardKernel, "forward", {
      bindings,
      ...onBuffersLaunch(device, shape, options),
    });
  }
  return { out, logSumExp };
}

/** The gradient with respect to qkv (B, T, 3·C), given that of the output. */
export function attentionBackward(
  qkv: Tensor,
  dOut: Tensor,
  options: AttentionOptions & { saved: AttentionResult },
): Tensor {
  const { device } = qkv;
  const shape = attentionShape(qkv, options);
  const { out, logSumExp } = options.saved;
  const dQkv = device.tensor(qkv.shape);
  const delta = device.tensor(logSumExp.shape);
  const statistics = { mask: options.mask ?? qkv, log_sum_exp: logSumExp, delta, d_qkv: dQkv };
  if (usesTexels(device, shape, options.variant)) {
    const heads = (x: Tensor, slot: number) =>
      texels(x.reshape([x.size / shape.headSize, shape.headSize]), slot).texture;
    const bindings = {
      ...statistics,
      qkv: heads(qkv, 0),
      outs: heads(out, 1),
      d_outs: heads(dOut, 2),
    };
    const launch = onTexelsLaunch(shape, options);
    device.dispatch(texelKernel, "queries", { bindings, ...launch });
    device.dispatch(texelKernel, "keys", { bindings, ...launch });
  } else {
    const bindings = { ...statistics, qkv, out, d_out: dOut };
    const launch = onBuffersLaunch(device, shape, options);
    device.dispatch(backwardKernel, "queries", { bindings, ...launch });
    device.dispatch(backwardKernel, "keys", { bindings, ...launch });
  }
  device.pool.release(delta.buffer);
  return dQkv;
}
