/**
 * Hyperbolic tangent, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { tanh as forward, tanhBackward } from "../../kernels/tanh.ts";
import type { Run } from "../run.ts";

/** `tanh(x)`; its result is saved. */
export function tanh(run: Run, x: Tensor): Tensor {
  const out = forward(x);
  run.record(out, [x], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      tanhBackward(out, dOut, { dX: tensor, accumulate });
    });
  });
  return out;
}
