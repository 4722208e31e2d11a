/**
 * TensorFlow.js: gradients of its own operations, its Adam, and the decay that AdamW adds.
 *
 * @module
 */
import type { GptConfig } from "../../../src/formats/gpt_config.ts";
import { tfLayerNorm } from "../layer_norm/tfjs.ts";
import { loadTf, NAME, type Tf, type TfTensor, type TfVariable } from "../libraries/tfjs.ts";
import type { Peer } from "../task.ts";
import type { TrainingData } from "./task.ts";

type Weights = ReadonlyMap<string, TfVariable>;

/** GELU in the tanh approximation. */
function gelu(tf: Tf, x: TfTensor): TfTensor {
  const inner = tf.add(tf.mul(tf.mul(tf.mul(x, x), x), 0.044715), x);
  const half = tf.mul(x, 0.5);
  return tf.mul(half, tf.add(tf.tanh(tf.mul(inner, Math.sqrt(2 / Math.PI))), 1));
}

/** Mean cross-entropy of a GPT, of ids (B, T) and targets (B·T, V), one where the right token is. */
function lossOf(tf: Tf, config: GptConfig, weights: Weights, mask: TfTensor) {
  const { channels: C, layers, heads, layerNormEpsilon: epsilon } = config;
  const weight = (name: string): TfVariable => weights.get(name)!;
  const affine = (x: TfTensor, name: string): TfTensor =>
    tf.add(tf.matMul(x, weight(`${name}.weight`)), weight(`${name}.bias`));
  const norm = (x: TfTensor, name: string): TfTensor => {
    const [scale, bias] = [weight(`${name}.weight`), weight(`${name}.bias`)];
    return tfLayerNorm(tf, x, { weight: scale, bias, epsilon });
  };
  return (ids: TfTensor, targets: TfTensor): TfTensor => {
    const [batch, time] = ids.shape;
    const byHead = (x: TfTensor): TfTensor =>
      tf.transpose(tf.reshape(x, [batch, time, heads, C / heads]), [0, 2, 1, 3]);
    const attend = (x: TfTensor, name: string): TfTensor => {
      const [q, k, v] = tf.split(affine(x, `${name}.c_attn`), 3, 1).map(byHead);
      const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(C / heads));
      const z = tf.matMul(tf.softmax(tf.add(scores, mask)), v);
      return affine(tf.reshape(tf.transpose(z, [0, 2, 1, 3]), [batch * time, C]), `${name}.c_proj`);
    };
    const token = weight("transformer.wte.weight");
    const embedded = tf.add(tf.gather(token, ids), weight("transformer.wpe.weight"));
    let x = tf.reshape(embedded, [batch * time, C]);
    for (let i = 0; i < layers; i++) {
      const h = `transformer.h.${i}`;
      x = tf.add(x, attend(norm(x, `${h}.ln_1`), `${h}.attn`));
      const hidden = gelu(tf, affine(norm(x, `${h}.ln_2`), `${h}.mlp.c_fc`));
      x = tf.add(x, affine(hidden, `${h}.mlp.c_proj`));
    }
    const logits = tf.matMul(norm(x, "transformer.ln_f"), token, false, true);
    return tf.losses.softmaxCrossEntropy(targets, logits);
  };
}

/** Losses stay on the device until the last step of a round. */
export const tfjs: Peer<TrainingData> = {
  name: NAME,
  open: async ({ config, weights, time: T, batches, optimizer }) => {
    const { rate, beta1, beta2, epsilon, decay } = optimizer;
    const tf = await loadTf();
    const variables = new Map(
      [...weights].map(([name, { shape, data }]) =>
        [name, tf.variable(tf.tensor(data, shape), true, name)] as const
      ),
    );
    const all = [...variables.values()];
    const decaying = all.filter(({ shape }) => shape.length >= 2);
    const hidden = Float32Array.from(
      { length: T * T },
      (_, i) => i % T > Math.floor(i / T) ? -1e9 : 0,
    );
    const mask = tf.tensor(hidden, [1, 1, T, T]);
    const uploaded = batches.map(({ inputs, targets }) => ({
      ids: tf.tensor(Int32Array.from(inputs), [inputs.length / T, T], "int32"),
      targets: tf.tidy(() =>
        tf.oneHot(tf.tensor(targets, [targets.length], "int32"), config.vocabularySize)
      ),
    }));
    const adam = tf.train.adam(rate, beta1, beta2, epsilon);
    const loss = lossOf(tf, config, variables, mask);
    let steps = 0;
    const step = (): TfTensor => {
      const { ids, targets } = uploaded[steps++ % batches.length];
      const { value, grads } = tf.variableGrads(() => loss(ids, targets), all);
      tf.tidy(() => decaying.forEach((w) => w.assign(tf.mul(w, 1 - rate * decay))));
      adam.applyGradients(grads);
      tf.dispose(Object.values(grads));
      return value;
    };
    return {
      run: async (calls) => {
        const losses = Array.from({ length: calls }, step);
        const together = tf.stack(losses);
        const numbers = await together.data();
        tf.dispose([...losses, together]);
        return numbers;
      },
      dispose: () => {
        adam.dispose();
        tf.dispose([...all, mask, ...uploaded.flatMap(({ ids, targets }) => [ids, targets])]);
      },
    };
  },
};
