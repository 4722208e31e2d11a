/**
 * jax-js, as it comes: it has a WebGPU backend that works under Deno.
 *
 * @module
 */
import type { Peer } from "./peer.ts";

// In a variable, so that checking the project's types downloads none of the peers.
const SPECIFIER = "npm:@jax-js/jax@0.1.25";

/** `.ref` keeps an array alive through an operation that would otherwise consume it. */
interface JaxArray {
  ref: JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Jax {
  init(device: string): Promise<string[]>;
  defaultDevice(device: string): void;
  numpy: {
    array(data: Float32Array, options: { shape: number[] }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
  };
}

/** `numpy.matmul`, one dispatch a call. */
export const jaxJs: Peer = {
  name: "jax-js 0.1.25",
  open: async ({ n, a, b }) => {
    const jax: Jax = await import(SPECIFIER);
    await jax.init("webgpu");
    jax.defaultDevice("webgpu");
    const [x, y] = [a, b].map((data) => jax.numpy.array(data, { shape: [n, n] }));
    return {
      run: async (calls) => {
        // Each call consumes its operands, and the read the last product: nothing is left over.
        let product = x.ref;
        for (let i = 0; i < calls; i++) product = jax.numpy.matmul(product, y.ref);
        return await product.data();
      },
      dispose: () => [x, y].forEach((array) => array.dispose()),
    };
  },
};
