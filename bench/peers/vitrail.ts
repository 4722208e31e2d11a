/**
 * Ourselves, through the same door as the others.
 *
 * @module
 */
import { type Device, openDevice } from "../../src/gpu/device.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import type { Peer } from "./peer.ts";

let device: Device | undefined;

/** `matmul` of `src/kernels/matmul.ts`, with the variant that it chooses itself. */
export const vitrail: Peer = {
  name: "vitrail",
  open: async ({ n, a, b }) => {
    const opened = device ??= await openDevice();
    const x = opened.upload(a, [n, n]);
    const y = opened.upload(b, [n, n]);
    return {
      run: async (calls) => {
        using _products = opened.scope();
        let product = x;
        for (let i = 0; i < calls; i++) product = matmul(product, y);
        return await product.read() as Float32Array;
      },
      dispose: () => [x, y].forEach((t) => opened.pool.release(t.buffer)),
    };
  },
};
