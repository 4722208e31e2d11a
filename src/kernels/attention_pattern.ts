/**
 * Attention with its pattern kept: the unfused twin of `attention.ts`, and attention against a cache.
 *
 * @module
 */
import source from "../../shaders/attention_pattern.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type AttentionOptions, attentionShape } from "./attention.ts";
import { perElement } from "./launch.ts";
import { softmax, softmaxBackward } from "./softmax.ts";

const kernel = new Kernel("attention_pattern", source);

/** Rows of heads inside a larger tensor: row t of entry b begins at offset + b·batch + t·row. */
export interface Rows {
  /** The tensor that holds them. */
  tensor: Tensor;
  /** Elements before the first row. */
  offset: number;
  /** Elements from one batch entry to the next. */
  batch: number;
  /** Elements from one row to the next. */
  row: number;
}

/** Sizes of one call, and how scores are masked. */
export interface PatternShape {
  /** B. */
  batch: number;
  /** NH. */
  heads: number;
  /** Rows of queries. */
  queries: number;
  /** Rows of keys. */
  keys: number;
  /** HS. */
  headSize: number;
  /** Factor on the result. */
  scale: number;
  /** Hide keys after each query's own place. */
  causal?: boolean;
  /** Places before the first query: what a cache holds. */
  past?: number;
  /** Added to the scores. */
  mask?: Tensor;
  /** Its strides. */
  maskStrides?: { mask_batch: number; mask_head: number; mask_query: number };
}

/** Part 0 (q), 1 (k) or 2 (v) of a packed (B, T, 3·C) tensor. */
export function part(qkv: Tensor, index: 0 | 1 | 2): Rows {
  const [, time, tripled] = qkv.shape;
  return { tensor: qkv, offset: index * tripled / 3, batch: time * tripled, row: tripled };
}

/** All of a (B, T, C) tensor. */
export function whole(tensor: Tensor): Rows {
  const [, time, channels] = tensor.shape;
  return { tensor, offset: 0, batch: time * channels, row: channels };
}

/** Terms of a sum that one dispatch adds up. */
const MOST_TERMS = 32768;

function dispatch(
  entry: "scores" | "mix" | "mix_transposed",
  shape: PatternShape,
  rows: { x: Rows; y: Rows; out: Rows; w: Tensor },
): void {
  const { x, y, out, w } = rows;
  const { device } = w;
  const { batch, heads, queries, keys, headSize, scale, mask } = shape;
  const launch = entry === "scores"
    ? perElement(device, keys, queries, batch * heads)
    : perElement(device, heads * headSize, entry === "mix" ? queries : keys, batch);
  const terms = { scores: 0, mix: keys, mix_transposed: queries }[entry];
  for (let first = 0; first === 0 || first < terms; first += MOST_TERMS) {
    device.dispatch(kernel, entry, {
      bindings: { x: x.tensor, y: y.tensor, w, mask: mask ?? device.nothing, out: out.tensor },
      uniforms: {
        heads,
        queries,
        keys,
        head_size: headSize,
        scale,
        past: shape.past ?? 0,
        x_offset: x.offset,
        x_batch: x.batch,
        x_row: x.row,
        y_offset: y.offset,
        y_batch: y.batch,
        y_row: y.row,
        out_offset: out.offset,
        out_batch: out.batch,
        out_row: out.row,
        ...(shape.maskStrides ?? { mask_batch: 0, mask_head: 0, mask_query: 0 }),
        first,
        end: Math.min(terms, first + MOST_TERMS),
      },
      overrides: {
        ...launch.overrides,
        ...(entry === "scores"
          ? { causal: shape.causal ?? false, has_mask: mask !== undefined }
          : { accumulate: first > 0 }),
      },
      workgroups: launch.workgroups,
    });
  }
}

/** `scale·x·yᵀ` for each head, masked: (B, NH, queries, keys). */
export function attentionScores(x: Rows, y: Rows, shape: PatternShape): Tensor {
  const { batch, heads, queries, keys } = shape;
  const out = x.tensor.device.tensor([batch, heads, queries, keys]);
  dispatch("scores", shape, { x, y, out: whole(out), w: x.tensor });
  return out;
}

/** Writes `scale·w·y` for each head into `out`. */
export function attentionMix(
  w: Tensor,
  y: Rows,
  options: { shape: PatternShape; out: Rows },
): void {
  dispatch("mix", options.shape, { x: y, y, out: options.out, w });
}

/** Writes `scale·wᵀ·x` for each head into `out`. */
export function attentionMixTransposed(
  w: Tensor,
  x: Rows,
  options: { shape: PatternShape; out: Rows },
): void {
  dispatch("mix_transposed", options.shape, { x, y: x, out: options.out, w });
}

function patternShape(qkv: Tensor, options: AttentionOptions): PatternShape {
  const { batch, time, headSize, scale, maskStrides } = attentionShape(qkv, options);
  const { heads, causal, mask } = options;
  return { batch, heads, queries: time, keys: time, headSize, scale, causal, mask, maskStrides };
}

/** The scores of packed qkv (B, T, 3·C): (B, NH, T, T), -3e38 where masked. */
export function packedScores(qkv: Tensor, options: AttentionOptions): Tensor {
  return attentionScores(part(qkv, 0), part(qkv, 1), patternShape(qkv, options));
}

/** The weighted values of packed qkv: (B, T, C), before the output projection. */
export function packedMix(pattern: Tensor, qkv: Tensor, options: AttentionOptions): Tensor {
  const shape = patternShape(qkv, options);
  const out = qkv.device.tensor([shape.batch, shape.queries, shape.heads * shape.headSize]);
  attentionMix(pattern, part(qkv, 2), { shape: { ...shape, scale: 1 }, out: whole(out) });
  return out;
}

/** The gradients of `packedMix`: dPattern, and dV written into `dQkv`. */
export function packedMixBackward(
  pattern: Tensor,
  qkv: Tensor,
  options: AttentionOptions & { dOut: Tensor; dQkv: Tensor },
): Tensor {
  const shape: PatternShape = {
    ...patternShape(qkv, options),
    scale: 1,
    causal: false,
    mask: undefined,
  };
  const dOut = whole(options.dOut);
  attentionMixTransposed(pattern, dOut, { shape, out: part(options.dQkv, 2) });
  return attentionScores(dOut, part(qkv, 2), shape);
}

/** The gradients of `packedScores`, dQ and dK, written into `dQkv`. */
export function packedScoresBackward(
  dScores: Tensor,
  qkv: Tensor,
  options: AttentionOptions & { dQkv: Tensor },
): void {
  const shape = patternShape(qkv, options);
  attentionMix(dScores, part(qkv, 1), { shape, out: part(options.dQkv, 0) });
  attentionMixTransposed(dScores, part(qkv, 0), { shape, out: part(options.dQkv, 1) });
}

export { softmax, softmaxBackward };
