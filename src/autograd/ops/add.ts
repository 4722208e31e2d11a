/**
 * The residual connection, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { add as forward } from "../../kernels/add.ts";
import type { Run } from "../run.ts";

/** `a + b`; both get the gradient as it is. */
export function add(run: Run, a: Tensor, b: Tensor): Tensor {
  const out = forward(a, b);
  run.record(out, [a, b], (dOut, gradients) => {
    gradients.pass(a, dOut);
    gradients.pass(b, dOut);
  });
  return out;
}
