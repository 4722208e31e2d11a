/**
 * The k largest numbers of each row, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { type OldColumns, topK as forward, topKBackward } from "../../kernels/top_k.ts";
import type { Run } from "../run.ts";

/** The k largest of each row above zero, as the kernel says; the result is saved. */
export function topK(
  run: Run,
  x: Tensor,
  options: { k: number; old?: OldColumns },
): Tensor {
  const out = forward(x, options.k, options);
  run.record(out, [x], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      topKBackward(out, dOut, { dX: tensor, accumulate });
    });
  });
  return out;
}
