/**
 * Squared and logistic losses, recorded: where a backward pass begins.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import {
  pointwiseLoss as forward,
  pointwiseLossBackward,
  type PointwiseLossKind,
} from "../../kernels/pointwise_loss.ts";
import type { Run } from "../run.ts";
import { lossInput } from "./cast.ts";

/**
 * (mean loss, n) of x against targets of the same size; NaN is not asked for.
 *
 * As with `crossEntropy`, a backward pass from the result starts from `scale`.
 */
export function pointwiseLoss(
  run: Run,
  input: Tensor,
  options: { targets: Tensor; kind: PointwiseLossKind; scale?: number },
): Tensor {
  const { targets, kind, scale = 1 } = options;
  const x = lossInput(run, input);
  const result = forward(x, targets, kind);
  run.record(result, [x], (_dOut, gradients) => {
    const dX = x.device.tensor(x.shape);
    pointwiseLossBackward(x, targets, { kind, result, scale, dX });
    gradients.give(x, dX);
  });
  return result;
}
