/**
 * The Kullback-Leibler divergence from a teacher, recorded: where distillation begins.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { klDivergence as forward, klDivergenceBackward } from "../../kernels/kl_divergence.ts";
import type { Run } from "../run.ts";

/**
 * D(p‖q) of each row (rows), in nats, of logits (…, V) against the teacher's, which gets no gradient
 * (Hinton et al. 2015, arXiv:1503.02531, at temperature 1).
 *
 * `tape.backward(losses)` starts from the mean of the rows times `scale`.
 *
 * @throws {VitrailError} unless both have one shape
 */
export function klDivergence(
  run: Run,
  logits: Tensor,
  options: { teacher: Tensor; scale?: number },
): Tensor {
  const { teacher, scale = 1 } = options;
  const saved = forward(logits, teacher);
  run.record(saved.losses, [logits], (_dOut, gradients) => {
    const dLogits = logits.device.tensor(logits.shape);
    klDivergenceBackward(logits, teacher, { saved, scale: scale / saved.losses.size, dLogits });
    gradients.give(logits, dLogits);
  });
  return saved.losses;
}
