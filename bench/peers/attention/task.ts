/**
 * Causal attention, forward alone and with its gradients.
 *
 * @module
 */
import { seededNumbers } from "../../harness.ts";
import { difference } from "../results.ts";
import type { Problem, Task } from "../task.ts";
import { jaxJs } from "./jax_js.ts";
import { onnxruntimeWeb } from "./onnxruntime_web.ts";
import { tfjs } from "./tfjs.ts";
import { vitrail } from "./vitrail.ts";

/** Queries, keys and values, each (B, T, C) with the heads side by side in C. */
export interface AttentionData {
  /** B. */
  batch: number;
  /** T. */
  time: number;
  /** NH. */
  heads: number;
  /** HS. */
  headSize: number;
  /** Whether a call also computes the gradients of q, k and v. */
  backward: boolean;
  /** Queries. */
  q: Float32Array<ArrayBuffer>;
  /** Keys. */
  k: Float32Array<ArrayBuffer>;
  /** Values. */
  v: Float32Array<ArrayBuffer>;
  /** Gradient of the output. */
  dOut: Float32Array<ArrayBuffer>;
}

/** Rows of a head that are computed again in double precision. */
const SAMPLES = 64;

function differenceToExact(data: AttentionData, result: ArrayLike<number>): number {
  const { batch, time, heads, headSize, q, k, v } = data;
  const C = heads * headSize;
  const [exact, given]: [number[], number[]] = [[], []];
  for (let s = 0; s < SAMPLES; s++) {
    const [b, h, t] = [s % batch, s % heads, (s * 7919) % time];
    const at = (place: number, i: number): number => (b * time + place) * C + h * headSize + i;
    const scores = Array.from({ length: t + 1 }, (_, place) => {
      let sum = 0;
      for (let i = 0; i < headSize; i++) sum += q[at(t, i)] * k[at(place, i)];
      return sum / Math.sqrt(headSize);
    });
    const weights = scores.map((score) => Math.exp(score));
    const total = weights.reduce((a, b) => a + b);
    for (let i = 0; i < headSize; i++) {
      exact.push(weights.reduce((sum, w, place) => sum + w * v[at(place, i)], 0) / total);
      given.push(result[at(t, i)]);
    }
  }
  return difference(exact, given);
}

function problem(backward: boolean): Problem<AttentionData> {
  const [batch, time, heads, headSize] = [4, 512, 6, 64];
  const numbers = (seed: number, scale = 4): Float32Array<ArrayBuffer> =>
    seededNumbers(batch * time * heads * headSize, seed).map((x) => x * scale);
  const data = {
    batch,
    time,
    heads,
    headSize,
    backward,
    q: numbers(1),
    k: numbers(2),
    v: numbers(3),
    dOut: numbers(4, 1),
  };
  const sizes = `B ${batch}, NH ${heads}, T ${time}, HS ${headSize}`;
  // Two products of T×T by HS forward and five backward; the mask leaves half of each.
  const product = batch * heads * time * time * headSize;
  return {
    label: `${backward ? "forward and backward" : "forward"}, ${sizes}`,
    data,
    calls: backward ? 1 : 2,
    flops: (backward ? 7 : 2) * product,
    differenceToExact: (result) => differenceToExact(data, result),
  };
}

/** Results are the output, and with `backward` the gradients of q, k and v after it. */
export const attention: Task<AttentionData> = {
  name: "attention",
  call: "one attention",
  aim: 4,
  tolerance: 1e-4,
  rounds: 3,
  peers: [vitrail, jaxJs, tfjs, onnxruntimeWeb],
  problems: () => [problem(false), problem(true)],
};
