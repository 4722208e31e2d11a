/**
 * A nonlinearity, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import {
  activation as forward,
  activationBackward,
  type ActivationKind,
} from "../../kernels/activation.ts";
import type { Run } from "../run.ts";

/** The nonlinearity of x; x is saved. */
export function activation(run: Run, x: Tensor, kind: ActivationKind): Tensor {
  const out = forward(x, kind);
  if (out === x) return x;
  run.record(out, [x], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      activationBackward(x, dOut, { kind, dX: tensor, accumulate });
    });
  });
  return out;
}
