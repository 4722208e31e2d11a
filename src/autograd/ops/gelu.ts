/**
 * GELU, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { gelu as forward, geluBackward, type GeluKind } from "../../kernels/gelu.ts";
import type { Run } from "../run.ts";

/** `gelu(x)`; x is saved. */
export function gelu(run: Run, x: Tensor, kind: GeluKind): Tensor {
  const out = forward(x, kind);
  run.record(out, [x], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      geluBackward(x, dOut, { kind, dX: tensor, accumulate });
    });
  });
  return out;
}
