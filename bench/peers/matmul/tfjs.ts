/**
 * TensorFlow.js: `matMul`.
 *
 * @module
 */
import { loadTf, NAME } from "../libraries/tfjs.ts";
import type { Peer } from "../task.ts";
import type { Products } from "./task.ts";

/** One dispatch a product; tfjs puts several into a submit. */
export const tfjs: Peer<Products> = {
  name: NAME,
  open: async ({ rows, inner, outer, ...data }) => {
    const tf = await loadTf();
    const x = tf.tensor(data.x, [rows, inner]);
    const up = tf.tensor(data.up, [inner, outer]);
    const down = tf.tensor(data.down, [outer, inner]);
    return {
      run: async (calls) => {
        const result = tf.tidy(() => {
          let y = x;
          for (let i = 0; i < calls; i++) y = tf.matMul(tf.matMul(y, up), down);
          return y;
        });
        const numbers = await result.data();
        result.dispose();
        return numbers;
      },
      dispose: () => tf.dispose([x, up, down]),
    };
  },
};
