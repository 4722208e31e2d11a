/**
 * Reference of scaled dot-product attention over packed (B, T, 3·C) queries, keys and values.
 *
 * @module
 */
import { dropoutFactor, type DropoutKey } from "./dropout.ts";
import type { Numbers } from "./numbers.ts";
import { MASKED, softmax, softmaxBackward } from "./softmax.ts";

/** Sizes and settings of one call. */
export interface AttentionShape {
  /** B. */
  batch: number;
  /** T. */
  time: number;
  /** NH. */
  heads: number;
  /** HS. */
  headSize: number;
  /** Keys after the query's own place are hidden. */
  causal: boolean;
  /** Added to the scores: (B or 1, T), or (B or 1, NH or 1, T or 1, T); -Infinity hides. */
  mask?: { values: Numbers; shape: readonly number[] };
  /** Factor on the scores; 1/√HS if absent. */
  scale?: number;
  /** Drops weights of the pattern. */
  dropout?: DropoutKey;
}

/** Everything that attention computes on its way. */
export interface AttentionResult {
  /** (B, T, C). */
  out: Float64Array;
  /** (B, NH, T); 0 for a query that sees no key. */
  logSumExp: Float64Array;
  /** (B, NH, T, T), -Infinity where hidden. */
  scores: Float64Array;
  /** (B, NH, T, T), before dropout. */
  pattern: Float64Array;
}

/** Where row t of head h lies in part 0 (q), 1 (k) or 2 (v). */
function rowOf(shape: AttentionShape, place: readonly number[], part: number): number {
  const channels = shape.heads * shape.headSize;
  const [b, h, t] = place;
  return (b * shape.time + t) * 3 * channels + part * channels + h * shape.headSize;
}

function maskAt(shape: AttentionShape, place: readonly number[]): number {
  if (!shape.mask) return 0;
  const { values, shape: dims } = shape.mask;
  const [b, h, q, k] = dims.length === 2 ? [dims[0], 1, 1, dims[1]] : dims;
  // A dimension of one repeats.
  const [pb, ph, pq, pk] = place.map((p, d) => [b, h, q, k][d] === 1 ? 0 : p);
  return values[((pb * h + ph) * q + pq) * k + pk];
}

/** Calls `visit` for each pair (b, h, query, key) with the pair's index in (B, NH, T, T). */
function eachPair(shape: AttentionShape, visit: (place: number[], index: number) => void): void {
  const { batch, heads, time } = shape;
  for (let index = 0; index < batch * heads * time * time; index++) {
    const row = Math.floor(index / time);
    const head = Math.floor(row / time);
    visit([Math.floor(head / heads), head % heads, row % time, index % time], index);
  }
}

function dot(x: Numbers, i: number, y: Numbers, options: { j: number; size: number }): number {
  let sum = 0;
  for (let d = 0; d < options.size; d++) sum += x[i + d] * y[options.j + d];
  return sum;
}

/** softmax(scale·Q·Kᵀ + mask)·V. */
export function attention(qkv: Numbers, shape: AttentionShape): AttentionResult {
  const { batch, heads, time, headSize: size, causal, dropout } = shape;
  const scale = shape.scale ?? 1 / Math.sqrt(size);
  const scores = new Float64Array(batch * heads * time * time);
  eachPair(shape, (place, index) => {
    const [b, h, i, j] = place;
    const product = dot(qkv, rowOf(shape, [b, h, i], 0), qkv, {
      j: rowOf(shape, [b, h, j], 1),
      size,
    });
    const score = scale * product + maskAt(shape, place);
    scores[index] = score <= MASKED || (causal && j > i) ? -Infinity : score;
  });
  const pattern = softmax(scores, time);
  const out = new Float64Array(batch * time * heads * size);
  eachPair(shape, ([b, h, i, j], index) => {
    const w = pattern[index] * (dropout ? dropoutFactor(index, dropout) : 1);
    const v = rowOf(shape, [b, h, j], 2);
    const o = ((b * time + i) * heads + h) * size;
    for (let d = 0; d < size; d++) out[o + d] += w * qkv[v + d];
  });
  const logSumExp = new Float64Array(batch * heads * time).map((_, row) => {
    const own = scores.subarray(row * time, (row + 1) * time);
    const most = own.reduce((a, b) => Math.max(a, b));
    if (most === -Infinity) return 0;
    return most + Math.log(own.reduce((sum, s) => sum + Math.exp(s - most), 0));
  });
  return { out, logSumExp, scores, pattern };
}

/** The gradient with respect to qkv, and those of the pattern and the scores on the way. */
export function attentionBackward(
  qkv: Numbers,
  dOut: Numbers,
  shape: AttentionShape,
): { dQkv: Float64Array; dPattern: Float64Array; dScores: Float64Array } {
  const { heads, time, headSize: size, dropout } = shape;
  const scale = shape.scale ?? 1 / Math.sqrt(size);
  const { pattern } = attention(qkv, shape);
  const dPattern = new Float64Array(pattern.length);
  const dQkv = new Float64Array(qkv.length);
  eachPair(shape, ([b, h, i, j], index) => {
    const factor = dropout ? dropoutFactor(index, dropout) : 1;
    const v = rowOf(shape, [b, h, j], 2);
    const o = ((b * time + i) * heads + h) * size;
    dPattern[index] = factor * dot(dOut, o, qkv, { j: v, size });
    for (let d = 0; d < size; d++) dQkv[v + d] += pattern[index] * factor * dOut[o + d];
  });
  const dScores = softmaxBackward(pattern, dPattern, time);
  eachPair(shape, ([b, h, i, j], index) => {
    const [q, k] = [rowOf(shape, [b, h, i], 0), rowOf(shape, [b, h, j], 1)];
    for (let d = 0; d < size; d++) {
      dQkv[q + d] += scale * dScores[index] * qkv[k + d];
      dQkv[k + d] += scale * dScores[index] * qkv[q + d];
    }
  });
  return { dQkv, dPattern, dScores };
}
