/**
 * Rows of one matrix in the place of rows of another.
 *
 * @module
 */
import source from "../../shaders/place_rows.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("place_rows", source);

/**
 * `out[into[i]] = x[rows[i]]`, both taken as rows of `columns` elements. `rows` and `into` (N) number
 * them; no row of out may be named twice, and x and out may not share memory.
 *
 * @throws {VitrailError} if `rows` and `into` differ in length
 */
export function placeRows(
  x: Tensor,
  out: Tensor,
  { rows, into, columns }: { rows: Tensor; into: Tensor; columns: number },
): void {
  if (rows.size !== into.size) {
    throw new VitrailError(
      `Cannot put ${rows.size} rows in the place of ${into.size}: wanted one for each`,
    );
  }
  x.device.dispatch(kernel, "forward", {
    bindings: { rows, into, x, out },
    uniforms: { count: rows.size, columns },
    ...perElement(x.device, columns, rows.size),
  });
}
