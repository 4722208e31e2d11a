/**
 * jax-js: one compiled function that takes the gradient of the loss and updates weights and moments.
 * Its optimizers, `@jax-js/optax`, are in no registry, so AdamW is written out.
 *
 * @module
 */
import type { GptConfig } from "../../../src/formats/gpt_config.ts";
import { type Jax, type JaxArray, loadJax, NAME } from "../libraries/jax_js.ts";
import type { Peer } from "../task.ts";
import type { TrainingData } from "./task.ts";

type Weights = { [name: string]: JaxArray };

/** The same names with what `f` makes of each. */
function map(weights: Weights, f: (weight: JaxArray, name: string) => JaxArray): Weights {
  return Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, f(w, name)]));
}

/** Mean cross-entropy of a GPT (B, T); each weight is used up by its one use. */
function lossOf({ nn, numpy }: Jax, config: GptConfig, time: number) {
  const { channels: C, layers, heads, vocabularySize, layerNormEpsilon: epsilon } = config;
  return (weights: Weights, ids: JaxArray, targets: JaxArray): JaxArray => {
    const tokens = ids.shape[0];
    const affine = (x: JaxArray, name: string): JaxArray =>
      numpy.matmul(x, weights[`${name}.weight`]).add(weights[`${name}.bias`]);
    const norm = (x: JaxArray, name: string): JaxArray =>
      nn.standardize(x, -1, { epsilon }).mul(weights[`${name}.weight`]).add(
        weights[`${name}.bias`],
      );
    const attend = (x: JaxArray, name: string): JaxArray => {
      const qkv = affine(x, `${name}.c_attn`).reshape([tokens / time, time, 3, heads, C / heads]);
      const [q, k, v] = [0, 1, 2].map((i) => qkv.ref.slice([], [], i));
      qkv.dispose();
      const z = nn.dotProductAttention(q, k, v, { isCausal: true });
      return affine(z.reshape([tokens, C]), `${name}.c_proj`);
    };
    const token = weights["transformer.wte.weight"];
    const place = weights["transformer.wpe.weight"]; // (T, C): the context is no longer than that
    // A product with ones and zeros, for it cannot compile the gradient of a lookup.
    const looked = numpy.matmul(nn.oneHot(ids, vocabularySize), token.ref);
    const embedded = looked.reshape([tokens / time, time, C]).add(place);
    let x = embedded.reshape([tokens, C]);
    for (let i = 0; i < layers; i++) {
      const h = `transformer.h.${i}`;
      x = x.ref.add(attend(norm(x, `${h}.ln_1`), `${h}.attn`));
      const hidden = nn.gelu(affine(norm(x.ref, `${h}.ln_2`), `${h}.mlp.c_fc`), {
        approximate: true,
      });
      x = x.add(affine(hidden, `${h}.mlp.c_proj`));
    }
    const logits = numpy.matmul(norm(x, "transformer.ln_f"), token.transpose());
    const right = nn.oneHot(targets, vocabularySize);
    return nn.logSoftmax(logits).mul(right).sum().mul(-1 / tokens);
  };
}

/** Weights, moments and the number of the step stay on the device; so do the losses of a round. */
export const jaxJs: Peer<TrainingData> = {
  name: NAME,
  open: async ({ config, weights, time, batches, optimizer }) => {
    const { rate, beta1, beta2, epsilon, decay } = optimizer;
    const jax = await loadJax();
    const { numpy } = jax;
    const gradient = jax.valueAndGrad(lossOf(jax, config, time));
    const update = jax.jit(
      (
        values: Weights,
        m: Weights,
        v: Weights,
        correction: JaxArray,
        ids: JaxArray,
        targets: JaxArray,
      ) => {
        const [loss, gradients] = gradient(map(values, (w) => w.ref), ids, targets);
        const [first, second] = [correction.ref.slice(0), correction.slice(1)];
        const newM = map(m, (m, name) => m.mul(beta1).add(gradients[name].ref.mul(1 - beta1)));
        const newV = map(
          v,
          (v, name) => v.mul(beta2).add(numpy.square(gradients[name]).mul(1 - beta2)),
        );
        const newValues = map(values, (w, name) => {
          const kept = w.shape.length >= 2 ? w.mul(1 - rate * decay) : w;
          const root = numpy.sqrt(newV[name].ref.mul(second.ref)).add(epsilon);
          return kept.sub(newM[name].ref.mul(first.ref).div(root).mul(rate));
        });
        first.dispose();
        second.dispose();
        return { loss, values: newValues, m: newM, v: newV };
      },
    );
    const upload = (fill?: number): Weights =>
      Object.fromEntries([...weights].map(([name, { shape, data }]) => {
        const numbers = fill === undefined ? data : new Float32Array(data.length).fill(fill);
        return [name, numpy.array(numbers, { shape })];
      }));
    let [values, m, v] = [upload(), upload(0), upload(0)];
    const uploaded = batches.map(({ inputs, targets }) =>
      [Int32Array.from(inputs), targets].map((ids) => numpy.array(ids, { dtype: "int32" }))
    );
    let steps = 0;
    return {
      run: async (calls) => {
        const losses: JaxArray[] = [];
        for (let i = 0; i < calls; i++) {
          const [ids, targets] = uploaded[steps++ % batches.length];
          const correction = Float32Array.of(1 / (1 - beta1 ** steps), 1 / (1 - beta2 ** steps));
          const done = update(values, m, v, numpy.array(correction), ids.ref, targets.ref);
          ({ values, m, v } = done);
          losses.push(done.loss);
        }
        // Reads in flight at the same time wait together.
        return (await Promise.all(losses.map((loss) => loss.data()))).map(([loss]) => loss);
      },
      dispose: () => {
        [values, m, v].flatMap(Object.values<JaxArray>).forEach((array) => array.dispose());
        uploaded.flat().forEach((array) => array.dispose());
      },
    };
  },
};
