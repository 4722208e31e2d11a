/**
 * jax-js: `nn.standardize` with weight and bias, compiled.
 *
 * @module
 */
import { type JaxArray, loadJax, NAME } from "../libraries/jax_js.ts";
import type { Peer } from "../task.ts";
import type { LayerNormData } from "./task.ts";

/** One compiled function. */
export const jaxJs: Peer<LayerNormData> = {
  name: NAME,
  open: async ({ rows, columns, epsilon, ...data }) => {
    const { jit, nn, numpy } = await loadJax();
    const x = numpy.array(data.x, { shape: [rows, columns] });
    const [weight, bias] = [data.weight, data.bias].map((numbers) => numpy.array(numbers));
    const norm = jit((x: JaxArray, weight: JaxArray, bias: JaxArray) =>
      nn.standardize(x, -1, { epsilon }).mul(weight).add(bias)
    );
    return {
      run: async (calls) => {
        let y = x.ref;
        for (let i = 0; i < calls; i++) y = norm(y, weight.ref, bias.ref);
        return await y.data();
      },
      dispose: () => [x, weight, bias].forEach((array) => array.dispose()),
    };
  },
};
