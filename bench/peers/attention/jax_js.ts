/**
 * jax-js: `nn.dotProductAttention`, compiled.
 *
 * @module
 */
import { type JaxArray, loadJax, NAME } from "../libraries/jax_js.ts";
import { concatenate } from "../results.ts";
import type { Peer } from "../task.ts";
import type { AttentionData } from "./task.ts";

/** One compiled function, whose gradients `vjp` derives. */
export const jaxJs: Peer<AttentionData> = {
  name: NAME,
  open: async ({ batch, time, heads, headSize, backward, ...data }) => {
    const jax = await loadJax();
    const shape = [batch, time, heads, headSize];
    const [q, k, v, dOut] = [data.q, data.k, data.v, data.dOut].map((numbers) =>
      jax.numpy.array(numbers, { shape })
    );
    const attend = (q: JaxArray, k: JaxArray, v: JaxArray): JaxArray =>
      jax.nn.dotProductAttention(q, k, v, { isCausal: true });
    const forward = jax.jit((q: JaxArray, k: JaxArray, v: JaxArray) => [attend(q, k, v)]);
    const both = jax.jit((q: JaxArray, k: JaxArray, v: JaxArray, dOut: JaxArray) => {
      const [out, gradients] = jax.vjp(attend, [q, k, v]);
      return [out, ...gradients(dOut)];
    });
    const call = (): JaxArray[] =>
      backward ? both(q.ref, k.ref, v.ref, dOut.ref) : forward(q.ref, k.ref, v.ref);
    return {
      run: async (calls) => {
        let results = call();
        for (let i = 1; i < calls; i++) {
          results.forEach((array) => array.dispose());
          results = call();
        }
        return concatenate(await Promise.all(results.map((array) => array.data())));
      },
      dispose: () => [q, k, v, dOut].forEach((array) => array.dispose()),
    };
  },
};
