/**
 * Our fused attention, over q, k and v side by side as a model has them.
 *
 * @module
 */
import { attention, attentionBackward } from "../../../src/kernels/attention.ts";
import type { Tensor } from "../../../src/gpu/tensor.ts";
import { concatenate } from "../results.ts";
import { NAME, ourDevice } from "../libraries/vitrail.ts";
import type { Peer } from "../task.ts";
import type { AttentionData } from "./data.ts";

/** Rows of C numbers of each part, side by side. */
function interleave(parts: Float32Array[], C: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(parts.length * parts[0].length);
  parts.forEach((part, p) => {
    for (let row = 0; row * C < part.length; row++) {
      out.set(part.subarray(row * C, (row + 1) * C), (row * parts.length + p) * C);
    }
  });
  return out;
}

/** The parts of what `interleave` put together, one after the other. */
function separate(whole: Float32Array, C: number, parts: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(whole.length);
  const size = whole.length / parts;
  for (let row = 0; row * C < size; row++) {
    for (let p = 0; p < parts; p++) {
      const at = (row * parts + p) * C;
      out.set(whole.subarray(at, at + C), p * size + row * C);
    }
  }
  return out;
}

/** The output, and the gradients after it. */
export const vitrail: Peer<AttentionData> = {
  name: NAME,
  open: async ({ batch, time, heads, headSize, backward, q, k, v, dOut }) => {
    const device = await ourDevice();
    const C = heads * headSize;
    const qkv = device.upload(interleave([q, k, v], C), [batch, time, 3 * C]);
    const gradient = device.upload(dOut, [batch, time, C]);
    const options = { heads, causal: true };
    const call = (): Tensor[] => {
      const saved = attention(qkv, options);
      if (!backward) return [saved.out];
      return [saved.out, attentionBackward(qkv, gradient, { ...options, saved })];
    };
    return {
      run: async (calls) => {
        const [out, dQkv] = (await device.compute(() => {
          let results = call();
          for (let i = 1; i < calls; i++) results = call();
          return results;
        })).map(({ data }) => data as Float32Array);
        return dQkv ? concatenate([out, separate(dQkv, C, 3)]) : out;
      },
      dispose: () => [qkv, gradient].forEach(({ buffer }) => device.pool.release(buffer)),
    };
  },
};
