/**
 * Some rows of a matrix, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { gatherRows as forward, gatherRowsBackward } from "../../kernels/gather_rows.ts";
import type { Run } from "../run.ts";

/** Rows of x (…, C) by their numbers (N), each named once at most: (N, C); `columns` as in the kernel. */
export function gatherRows(run: Run, x: Tensor, rows: Tensor, columns?: number): Tensor {
  const out = forward(x, rows, columns);
  run.record(out, [x], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      if (!accumulate) x.device.commands.clear(tensor.buffer);
      gatherRowsBackward(dOut, rows, tensor);
    });
  });
  return out;
}
