/**
 * Our `matmul`, with the variant that it chooses itself.
 *
 * @module
 */
import { matmul } from "../../../src/kernels/matmul.ts";
import { NAME, ourDevice } from "../libraries/vitrail.ts";
import type { Peer } from "../task.ts";
import type { Products } from "./task.ts";

/** One dispatch a product. */
export const vitrail: Peer<Products> = {
  name: NAME,
  open: async ({ rows, inner, outer, ...data }) => {
    const device = await ourDevice();
    const x = device.upload(data.x, [rows, inner]);
    const up = device.upload(data.up, [inner, outer]);
    const down = device.upload(data.down, [outer, inner]);
    return {
      run: async (calls) => {
        using _products = device.scope();
        let y = x;
        for (let i = 0; i < calls; i++) y = matmul(matmul(y, up), down);
        return await y.read();
      },
      dispose: () => [x, up, down].forEach(({ buffer }) => device.pool.release(buffer)),
    };
  },
};
