/**
 * Our products as our models compute them: `matmul`, with the variant that it chooses itself; and for a row
 * or a few, as in generation, `linearRow`, to which a weight is given once, as the decoder does it.
 *
 * @module
 */
import { linearRow, rowWeight } from "../../../src/kernels/linear_row.ts";
import { matmul } from "../../../src/kernels/matmul.ts";
import type { Tensor } from "../../../src/gpu/tensor.ts";
import { NAME, ourDevice } from "../libraries/vitrail.ts";
import type { Peer } from "../task.ts";
import type { Products } from "./data.ts";

/** Rows up to which a weight is read row by row. */
const FEW_ROWS = 4;

/** One dispatch a product. */
export const vitrail: Peer<Products> = {
  name: NAME,
  open: async ({ rows, inner, outer, ...data }) => {
    const device = await ourDevice();
    const x = device.upload(data.x, [rows, inner]);
    const up = device.upload(data.up, [inner, outer]);
    const down = device.upload(data.down, [outer, inner]);
    const kept = rows > FEW_ROWS
      ? []
      : [up, down].map((weight) => rowWeight(weight, { transposed: false }));
    const pair = (y: Tensor): Tensor =>
      kept.length > 0
        ? kept.reduce((row, weight) => linearRow(row, weight), y)
        : matmul(matmul(y, up), down);
    return {
      run: async (calls) => {
        const [{ data }] = await device.compute(() => {
          let y = x;
          for (let i = 0; i < calls; i++) y = pair(y);
          return [y];
        });
        return data;
      },
      dispose: () => {
        [x, up, down].forEach(({ buffer }) => device.pool.release(buffer));
        kept.forEach(({ texture }) => device.textures.release(texture));
      },
    };
  },
};
