/**
 * GELU, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { gelu as forward, geluBackward, type GeluKind } from "../../kernels/gelu.ts";
import type { Run } from "../run.ts";

/** `gelu(x)`. */
export function gelu(run: Run, x: Tensor, kind: GeluKind): Tensor {
  return recordGelu(run, x, { out: forward(x, kind), kind });
}

/** Records that `out` is `gelu(x)`, whichever kernel made it; x is saved. */
export function recordGelu(
  run: Run,
  x: Tensor,
  { out, kind }: { out: Tensor; kind: GeluKind },
): Tensor {
  run.record(out, [x], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      geluBackward(x, dOut, { kind, dX: tensor, accumulate });
    });
  });
  return out;
}
