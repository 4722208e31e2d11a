/**
 * Dropout, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { dropout as forward } from "../../kernels/dropout.ts";
import type { Run } from "../run.ts";

/** Drops elements while training, and returns x itself otherwise; nothing is saved but the key. */
export function dropout(run: Run, x: Tensor, probability: number): Tensor {
  const key = run.dropoutKey(probability);
  if (!key) return x;
  const out = forward(x, key);
  run.record(out, [x], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      forward(dOut, key, { out: tensor, accumulate });
    });
  });
  return out;
}
