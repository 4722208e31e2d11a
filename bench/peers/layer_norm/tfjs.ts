/**
 * TensorFlow.js: layer norm of its own operations, as its layers have it.
 *
 * @module
 */
import { loadTf, NAME, type Tf, type TfTensor } from "../libraries/tfjs.ts";
import type { Peer } from "../task.ts";
import type { LayerNormData } from "./task.ts";

/** `(x - mean)/√(variance + epsilon)·weight + bias`, over the last axis. */
export function tfLayerNorm(
  tf: Tf,
  x: TfTensor,
  { weight, bias, epsilon }: { weight: TfTensor; bias: TfTensor; epsilon: number },
): TfTensor {
  const { mean, variance } = tf.moments(x, x.shape.length - 1, true);
  const scale = tf.mul(tf.rsqrt(tf.add(variance, epsilon)), weight);
  return tf.add(tf.mul(tf.sub(x, mean), scale), bias);
}

/** Moments, then scale and shift. */
export const tfjs: Peer<LayerNormData> = {
  name: NAME,
  open: async ({ rows, columns, epsilon, ...data }) => {
    const tf = await loadTf();
    const x = tf.tensor(data.x, [rows, columns]);
    const [weight, bias] = [data.weight, data.bias].map((numbers) => tf.tensor(numbers, [columns]));
    return {
      run: async (calls) => {
        const result = tf.tidy(() => {
          let y = x;
          for (let i = 0; i < calls; i++) y = tfLayerNorm(tf, y, { weight, bias, epsilon });
          return y;
        });
        const numbers = await result.data();
        result.dispose();
        return numbers;
      },
      dispose: () => tf.dispose([x, weight, bias]),
    };
  },
};
