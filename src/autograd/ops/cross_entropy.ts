/**
 * Cross-entropy, recorded: where a backward pass begins.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { crossEntropy as forward, crossEntropyBackward } from "../../kernels/cross_entropy.ts";
import type { Run } from "../run.ts";

/** The mean loss and what it is the mean of. */
export interface Loss {
  /** (mean loss in nats, number of targets that count). */
  result: Tensor;
  /** Loss of each place; zero where ignored. */
  losses: Tensor;
}

/**
 * Mean cross-entropy of logits (…, V) against targets (…); -100 is ignored.
 *
 * `tape.backward(loss.result)` starts from `scale`, not from the contents of `result`: 1/A for each of
 * A micro-steps.
 */
export function crossEntropy(
  run: Run,
  logits: Tensor,
  options: { targets: Tensor; scale?: number },
): Loss {
  const { targets, scale = 1 } = options;
  const saved = forward(logits, targets);
  run.record(saved.result, [logits], (_dOut, gradients) => {
    const dLogits = logits.device.tensor(logits.shape, logits.dtype);
    const lossScale = run.half?.lossScale;
    crossEntropyBackward(logits, targets, { saved, scale, dLogits, lossScale });
    gradients.give(logits, dLogits);
  });
  return { result: saved.result, losses: saved.losses };
}
