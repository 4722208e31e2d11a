/**
 * TensorFlow.js on its WebGPU backend, which needs no shim under Deno.
 *
 * @module
 */
import type { Peer } from "./peer.ts";

// In variables, so that checking the project's types downloads none of the peers.
const CORE = "npm:@tensorflow/tfjs-core@4.22.0";
const BACKEND = "npm:@tensorflow/tfjs-backend-webgpu@4.22.0";

interface TfTensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Tf {
  setBackend(name: string): Promise<boolean>;
  tensor2d(data: Float32Array, shape: [number, number]): TfTensor;
  matMul(a: TfTensor, b: TfTensor): TfTensor;
}

/** `tf.matMul`, one dispatch a call; tfjs puts several into a submit. */
export const tfjs: Peer = {
  name: "tfjs-webgpu 4.22.0",
  open: async ({ n, a, b }) => {
    const tf: Tf = await import(CORE);
    await import(BACKEND);
    if (!await tf.setBackend("webgpu")) throw new Error("tfjs has no WebGPU backend here");
    const [x, y] = [a, b].map((data) => tf.tensor2d(data, [n, n]));
    return {
      run: async (calls) => {
        const products: TfTensor[] = [];
        for (let i = 0; i < calls; i++) products.push(tf.matMul(products.at(-1) ?? x, y));
        const result = await products.at(-1)!.data();
        products.forEach((product) => product.dispose());
        return result;
      },
      dispose: () => [x, y].forEach((tensor) => tensor.dispose()),
    };
  },
};
