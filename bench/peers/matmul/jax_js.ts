/**
 * jax-js: `numpy.matmul`.
 *
 * @module
 */
import { loadJax, NAME } from "../libraries/jax_js.ts";
import type { Peer } from "../task.ts";
import type { Products } from "./task.ts";

/** One dispatch a product. */
export const jaxJs: Peer<Products> = {
  name: NAME,
  open: async ({ rows, inner, outer, ...data }) => {
    const { numpy } = await loadJax();
    const x = numpy.array(data.x, { shape: [rows, inner] });
    const up = numpy.array(data.up, { shape: [inner, outer] });
    const down = numpy.array(data.down, { shape: [outer, inner] });
    return {
      run: async (calls) => {
        // Each product consumes its operands, and the read the last one: nothing is left over.
        let y = x.ref;
        for (let i = 0; i < calls; i++) y = numpy.matmul(numpy.matmul(y, up.ref), down.ref);
        return await y.data();
      },
      dispose: () => [x, up, down].forEach((array) => array.dispose()),
    };
  },
};
