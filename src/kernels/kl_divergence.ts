/**
 * The Kullback-Leibler divergence between two rows of logits: what one model has to learn from another.
 *
 * @module
 */
import source from "../../shaders/kl_divergence.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perRow } from "./launch.ts";

const kernel = new Kernel("kl_divergence", source);

/** What the forward pass leaves for the backward pass. */
export interface KlDivergenceResult {
  /** The divergence of each row, in nats. */
  losses: Tensor;
  /** (2, rows): log Σ exp of one's own logits, then of the teacher's. */
  logSumExp: Tensor;
}

/**
 * D(p‖q) of each row, for q the softmax of `logits` (…, V) and p that of `teacher`.
 *
 * @throws {VitrailError} unless both have one shape
 */
export function klDivergence(logits: Tensor, teacher: Tensor): KlDivergenceResult {
  const { device, shape } = logits;
  if (shape.join() !== teacher.shape.join()) {
    throw new VitrailError(
      `Cannot compare logits (${shape.join(", ")}) with a teacher's (${
        teacher.shape.join(", ")
      }): ` +
        "wanted one shape",
    );
  }
  const columns = shape.at(-1)!;
  const rows = logits.size / columns;
  const losses = device.tensor([rows]);
  const logSumExp = device.tensor([2, rows]);
  device.dispatch(kernel, "forward", {
    bindings: { logits, teacher, losses, log_sum_exp: logSumExp },
    uniforms: { row_count: rows, columns, scale: 0 },
    ...perRow(device, rows, { rounds: 3 * columns }),
  });
  return { losses, logSumExp };
}

/** The gradient of `scale` times the sum of the losses with respect to the logits. */
export function klDivergenceBackward(
  logits: Tensor,
  teacher: Tensor,
  options: { saved: Pick<KlDivergenceResult, "logSumExp">; scale: number; dLogits: Tensor },
): void {
  const { saved, scale, dLogits } = options;
  const { device } = logits;
  const columns = logits.shape.at(-1)!;
  const rows = logits.size / columns;
  device.dispatch(kernel, "backward", {
    bindings: { logits, teacher, log_sum_exp: saved.logSumExp, d_logits: dLogits },
    uniforms: { row_count: rows, columns, scale },
    ...perRow(device, rows, { rounds: columns }),
  });
}
