/**
 * Our `layerNorm`.
 *
 * @module
 */
import { layerNorm } from "../../../src/kernels/layer_norm.ts";
import { NAME, ourDevice } from "../libraries/vitrail.ts";
import type { Peer } from "../task.ts";
import type { LayerNormData } from "./data.ts";

/** One dispatch a call. */
export const vitrail: Peer<LayerNormData> = {
  name: NAME,
  open: async ({ rows, columns, epsilon, ...data }) => {
    const device = await ourDevice();
    const x = device.upload(data.x, [rows, columns]);
    const weight = device.upload(data.weight);
    const bias = device.upload(data.bias);
    return {
      run: async (calls) => {
        const [{ data }] = await device.compute(() => {
          let y = x;
          for (let i = 0; i < calls; i++) y = layerNorm(y, { weight, bias, epsilon }).out;
          return [y];
        });
        return data;
      },
      dispose: () => [x, weight, bias].forEach(({ buffer }) => device.pool.release(buffer)),
    };
  },
};
