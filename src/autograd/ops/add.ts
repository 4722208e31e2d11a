/**
 * The residual connection, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { add as forward } from "../../kernels/add.ts";
import type { Run } from "../run.ts";

/** `a + b`; a gets a copy of the gradient, b the gradient itself. */
export function add(run: Run, a: Tensor, b: Tensor): Tensor {
  const out = forward(a, b);
  recordAdd(run, out, { a, b });
  return out;
}

/** Records that `out` is `a + b`, whoever added them. */
export function recordAdd(run: Run, out: Tensor, { a, b }: { a: Tensor; b: Tensor }): void {
  run.record(out, [a, b], (dOut, gradients) => {
    gradients.pass(a, dOut);
    gradients.move(out, b);
  });
}
