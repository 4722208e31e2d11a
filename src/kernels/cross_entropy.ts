/**
 * Softmax cross-entropy fused with its mean.
 *
 * @module
 */
import source from "../../shaders/cross_entropy.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { both, lanesOf, perRow } from "./launch.ts";

const kernel = new Kernel("cross_entropy", source);

/** Rows with this target do not count, as in PyTorch. */
export const IGNORE_INDEX = -100;

/** What the forward pass leaves for the backward pass. */
export interface CrossEntropyResult {
  /** (mean loss, number of rows that count); the mean over no rows is 0. */
  result: Tensor;
  /** Loss of each row; zero where ignored. */
  losses: Tensor;
  /** log Σ exp of each row of logits. */
  logSumExp: Tensor;
}

/** Mean cross-entropy of logits (…, V) against targets (…), in nats. */
export function crossEntropy(logits: Tensor, targets: Tensor): CrossEntropyResult {
  const { device } = logits;
  const columns = logits.shape.at(-1)!;
  const rows = logits.size / columns;
  const uniforms = { row_count: rows, columns, ignore: IGNORE_INDEX, scale: 0 };
  const losses = device.tensor([rows]);
  const logSumExp = device.tensor([rows]);
  const result = device.tensor([2]);
  device.dispatch(kernel, "forward", {
    bindings: { logits, targets, losses, log_sum_exp: logSumExp },
    uniforms,
    ...perRow(device, rows),
  });
  device.dispatch(kernel, "mean", {
    bindings: { targets, losses, result },
    uniforms,
    overrides: { lanes: lanesOf(device), rows: 1 },
    workgroups: [1],
  });
  return { result, losses, logSumExp };
}

/**
 * The gradient of `scale` times the mean loss with respect to the logits; times the first number of
 * `lossScale` as well, where gradients are f16.
 */
export function crossEntropyBackward(
  logits: Tensor,
  targets: Tensor,
  options: { saved: CrossEntropyResult; scale: number; dLogits: Tensor; lossScale?: Tensor },
): void {
  const { saved, scale, dLogits, lossScale } = options;
  const { device } = logits;
  const columns = logits.shape.at(-1)!;
  const rows = logits.size / columns;
  const { overrides, workgroups } = perRow(device, rows);
  device.dispatch(kernel, columns % 4 === 0 ? "backward" : "backward_odd", {
    bindings: {
      ...both({ logits, d_logits: dLogits }),
      targets,
      log_sum_exp: saved.logSumExp,
      result: saved.result,
      loss_scale: lossScale ?? device.nothing,
    },
    uniforms: { row_count: rows, columns, ignore: IGNORE_INDEX, scale },
    overrides: { ...overrides, has_loss_scale: lossScale !== undefined },
    workgroups,
  });
}
