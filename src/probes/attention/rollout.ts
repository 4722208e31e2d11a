/**
 * Attention rollout: how much of each input place may have reached each place by way of attention and
 * residual connections.
 *
 * Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", arXiv:2005.00928, section 3:
 *
 *   A'(l) = ½·(A(l) + I), rows divided by their sums;   rollout(l) = A'(l)·rollout(l-1),   rollout(-1) = I
 *
 * with A(l) the mean of the heads of layer l. It follows the weights alone: values, MLPs and norms are not
 * looked at.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Activation } from "../activation_cache.ts";

/** The rollout up to a layer: (B, T, T); row t says what place t is made of, and sums to 1. */
export interface Rollout {
  /** Row-major. */
  data: Float64Array;
  /** (B, T, T). */
  shape: readonly [number, number, number];
}

/**
 * The rollout up to each layer, from the maps (B, NH, T, T) of all layers, first layer first.
 *
 * @throws {VitrailError} if there are no maps
 *
 * @example
 * ```ts
 * import { attentionMaps, attentionRollout, type Gpt } from "../../../mod.ts";
 *
 * async function sources(model: Gpt) {
 *   const maps = await attentionMaps(model, { ids: model.ids([1, 2, 3]) });
 *   const { data, shape: [, T] } = attentionRollout(maps).at(-1)!;
 *   return data.subarray((T - 1) * T); // what the last place is made of
 * }
 * ```
 */
export function attentionRollout(maps: readonly Activation[]): Rollout[] {
  if (maps.length === 0) {
    throw new VitrailError(
      "Cannot roll attention out: there are no maps; wanted one for each layer",
    );
  }
  const [B, NH, T] = maps[0].shape;
  let before: Float64Array | undefined;
  return maps.map(({ data }) => {
    const out = new Float64Array(B * T * T);
    for (let b = 0; b < B; b++) {
      const mixed = withResidual(data.subarray(b * NH * T * T, (b + 1) * NH * T * T), NH, T);
      const earlier = before?.subarray(b * T * T, (b + 1) * T * T);
      out.set(earlier ? product(mixed, earlier, T) : mixed, b * T * T);
    }
    before = out;
    return { data: out, shape: [B, T, T] as const };
  });
}

/** ½·(mean of the heads + I), rows divided by their sums. */
function withResidual(heads: Float32Array, NH: number, T: number): Float64Array {
  const out = new Float64Array(T * T);
  heads.forEach((weight, i) => out[i % (T * T)] += weight / (2 * NH));
  for (let t = 0; t < T; t++) {
    out[t * T + t] += 0.5;
    const row = out.subarray(t * T, (t + 1) * T);
    const sum = row.reduce((a, b) => a + b, 0);
    row.forEach((weight, j) => row[j] = weight / sum);
  }
  return out;
}

function product(a: Float64Array, b: Float64Array, T: number): Float64Array {
  const out = new Float64Array(T * T);
  for (let i = 0; i < T; i++) {
    for (let k = 0; k < T; k++) {
      const weight = a[i * T + k];
      if (weight === 0) continue;
      for (let j = 0; j < T; j++) out[i * T + j] += weight * b[k * T + j];
    }
  }
  return out;
}
