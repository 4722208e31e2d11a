/**
 * The way between f16 activations and what is computed in f32, recorded.
 *
 * @module
 */
import type { DType, Tensor } from "../../gpu/tensor.ts";
import { cast as forward } from "../../kernels/cast.ts";
import type { Run } from "../run.ts";

/** x in another type; x itself if that is its own. */
export function cast(run: Run, x: Tensor, dtype: DType): Tensor {
  if (x.dtype === dtype) return x;
  const out = forward(x, dtype);
  run.record(out, [x], (dOut, gradients) => gradients.give(x, forward(dOut, x.dtype)));
  return out;
}

/**
 * x as f32 for a loss that knows nothing of f16: the gradient that it hands back is multiplied by the
 * loss scale before it is rounded. In an f32 pass x itself.
 */
export function lossInput(run: Run, x: Tensor): Tensor {
  const { half } = run;
  if (!half) return x;
  const out = forward(x, "f32");
  run.record(out, [x], (dOut, gradients) => {
    gradients.give(x, forward(dOut, x.dtype, { factor: half.lossScale }));
  });
  return out;
}
