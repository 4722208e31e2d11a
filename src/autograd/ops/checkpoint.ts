/**
 * Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): forget what happened inside, and run
 * it again when the backward pass comes by.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import type { Run } from "../run.ts";

/** `body(run, x)`, keeping only x and the result until the backward pass. */
export function checkpoint(run: Run, x: Tensor, body: (run: Run, x: Tensor) => Tensor): Tensor {
  if (!run.tape) return body(run, x);
  const place = run.place;
  const forward = run.replay(place, false);
  const scope = run.device.scope();
  let out: Tensor;
  try {
    out = scope.keep(body(forward, x));
  } finally {
    scope[Symbol.dispose]();
  }
  run.skipTo(forward.place);
  // What happens inside trains parameters even where x itself asks for nothing.
  if (run.tape.trains) run.tape.watch(x);
  run.record(out, [x], (dOut, gradients) => {
    let dX: Tensor | undefined;
    {
      using inner = run.device.scope();
      const again = run.replay(place, true);
      again.tape!.watch(x);
      dX = again.tape!.backward(body(again, x), dOut).get(x);
      if (dX) inner.keep(dX);
    }
    if (dX) gradients.give(x, dX);
  });
  return out;
}
