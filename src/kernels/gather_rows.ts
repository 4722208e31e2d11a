/**
 * Some rows of a matrix.
 *
 * @module
 */
import source from "../../shaders/gather_rows.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("gather_rows", source);

/**
 * Rows of x (…, C) by their numbers (N), each named once at most: (N, C). With `columns`, x is taken
 * as rows of that length; `rows` may have any shape, which is then the result's, less its C if that is 1.
 */
export function gatherRows(x: Tensor, rows: Tensor, columns: number = x.shape.at(-1)!): Tensor {
  const shape = columns === 1 ? rows.shape : [...rows.shape, columns];
  const out = x.device.tensor(shape, x.dtype);
  x.device.dispatch(kernel, "forward", {
    bindings: { rows, x, out },
    uniforms: { count: rows.size, columns },
    ...perElement(x.device, columns, rows.size),
  });
  return out;
}

/** Adds dOut (N, C) to those rows of dX (…, C). */
export function gatherRowsBackward(dOut: Tensor, rows: Tensor, dX: Tensor): void {
  const columns = dOut.size / rows.size;
  dOut.device.dispatch(kernel, "backward", {
    bindings: { rows, d_out: dOut, d_x: dX },
    uniforms: { count: rows.size, columns },
    ...perElement(dOut.device, columns, rows.size),
  });
}
