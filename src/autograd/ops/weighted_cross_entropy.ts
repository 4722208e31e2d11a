/**
 * Cross-entropy in which some classes count for more, recorded: where a backward pass begins.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { crossEntropy as forward, crossEntropyBackward } from "../../kernels/cross_entropy.ts";
import { matmul } from "../../kernels/matmul.ts";
import type { Run } from "../run.ts";
import { lossInput } from "./cast.ts";

/**
 * (Σ_r w[target_r]·loss_r / Σ_r w[target_r], Σ_r w[target_r]) of logits (B, V), as PyTorch's
 * `cross_entropy` with `weight`.
 *
 * Batches of sequences are small, so the weights go in as factors of a product with few rows.
 *
 * @param options.targets class numbers (B); -100 weighs nothing
 * @param options.weights a factor for each class (V)
 */
export function weightedCrossEntropy(
  run: Run,
  input: Tensor,
  options: { targets: Int32Array; weights: readonly number[]; scale?: number },
): Tensor {
  const { scale = 1, weights } = options;
  const logits = lossInput(run, input);
  const { device } = logits;
  const targets = device.upload(Int32Array.from(options.targets));
  const rows = targets.size;
  const classes = logits.shape.at(-1)!;
  if (weights.length !== classes || !weights.every((w) => Number.isFinite(w) && w >= 0)) {
    throw new VitrailError(
      `Cannot weigh ${classes} classes by [${weights.join(", ")}]: wanted a number from 0 for each`,
    );
  }
  const factors = Float32Array.from(options.targets, (target) => weights[target] ?? 0);
  const sum = factors.reduce((all, factor) => all + factor, 0);
  // Rows that all weigh nothing have a loss of 0, as has a mean over no rows.
  const shares = factors.map((factor) => sum === 0 ? 0 : factor / sum);
  const saved = forward(logits, targets);
  const mean = matmul(device.upload(shares, [1, rows]), saved.losses.reshape([rows, 1])); // (1, 1)
  const result = device.upload(Float32Array.of(0, sum));
  device.commands.copy(mean.buffer, result.buffer, 4);
  run.record(result, [logits], (_dOut, gradients) => {
    gradients.into(logits, ({ tensor, accumulate }) => {
      using _scope = device.scope();
      const even = device.tensor(logits.shape);
      crossEntropyBackward(logits, targets, { saved, scale, dLogits: even });
      // Each row was divided by the number of rows.
      const diagonal = new Float32Array(rows * rows);
      shares.forEach((share, r) => diagonal[r * (rows + 1)] = rows * share);
      matmul(device.upload(diagonal, [rows, rows]), even, { out: tensor, accumulate });
    });
  });
  return result;
}
