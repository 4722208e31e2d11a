/**
 * TensorFlow.js: attention of its own operations, for it has none that is fused. Heads are laid out
 * beforehand as its products want them.
 *
 * @module
 */
import { loadTf, NAME, type TfTensor } from "../libraries/tfjs.ts";
import { concatenate } from "../results.ts";
import type { Peer } from "../task.ts";
import type { AttentionData } from "./task.ts";

/** softmax(q·kᵀ/√HS + mask)·v, and the gradients that tfjs derives. */
export const tfjs: Peer<AttentionData> = {
  name: NAME,
  open: async ({ batch, time: T, heads, headSize, backward, ...data }) => {
    const tf = await loadTf();
    const byHead = (numbers: Float32Array): TfTensor =>
      tf.tidy(() => tf.transpose(tf.tensor(numbers, [batch, T, heads, headSize]), [0, 2, 1, 3]));
    const [q, k, v, dOut] = [data.q, data.k, data.v, data.dOut].map(byHead);
    const hidden = Float32Array.from(
      { length: T * T },
      (_, i) => i % T > Math.floor(i / T) ? -1e9 : 0,
    );
    const mask = tf.tensor(hidden, [1, 1, T, T]);
    const attend = (q: TfTensor, k: TfTensor, v: TfTensor): TfTensor => {
      const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headSize));
      return tf.matMul(tf.softmax(tf.add(scores, mask)), v);
    };
    const both = tf.valueAndGrads(attend);
    const call = (): TfTensor[] =>
      tf.tidy(() => {
        if (!backward) return [attend(q, k, v)];
        const { value, grads } = both([q, k, v], dOut);
        return [value, ...grads];
      });
    return {
      run: async (calls) => {
        let results = call();
        for (let i = 1; i < calls; i++) {
          tf.dispose(results);
          results = call();
        }
        const places = tf.tidy(() => results.map((x) => tf.transpose(x, [0, 2, 1, 3])));
        const numbers = await Promise.all(places.map((x) => x.data()));
        tf.dispose([...results, ...places]);
        return concatenate(numbers);
      },
      dispose: () => tf.dispose([q, k, v, dOut, mask]),
    };
  },
};
