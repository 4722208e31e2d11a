/**
 * Mean squared error, and binary cross-entropy of logits.
 *
 * @module
 */
import source from "../../shaders/pointwise_loss.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { lanesOf, perElement } from "./launch.ts";

const kernel = new Kernel("pointwise_loss", source);

/** Elements that a lane adds up. */
const EACH = 1024;

/** Squared error for numbers, binary cross-entropy for labels that do not exclude each other. */
export type PointwiseLossKind = "squared" | "logistic";

/** (mean loss, n) over the targets that are not NaN. */
export function pointwiseLoss(x: Tensor, targets: Tensor, kind: PointwiseLossKind): Tensor {
  if (x.size !== targets.size) {
    throw new VitrailError(
      `Cannot compare (${x.shape.join(", ")}) with targets (${targets.shape.join(", ")}): ` +
        "sizes must match",
    );
  }
  const { device, size } = x;
  const lanes = lanesOf(device);
  const groups = Math.ceil(size / (lanes * EACH));
  const uniforms = { size, each: EACH, groups, scale: 0 };
  const [partial, result] = [device.tensor([groups, 2]), device.tensor([2])];
  device.dispatch(kernel, "forward", {
    bindings: { x, y: targets, partial },
    uniforms,
    overrides: { logistic: kind === "logistic", lanes },
    workgroups: [groups],
  });
  device.dispatch(kernel, "finish", {
    bindings: { partial, result },
    uniforms,
    overrides: { lanes },
    workgroups: [1],
  });
  device.pool.release(partial.buffer);
  return result;
}

/** The gradient of `scale` times the mean, written into `dX`. */
export function pointwiseLossBackward(
  x: Tensor,
  targets: Tensor,
  options: { kind: PointwiseLossKind; result: Tensor; scale: number; dX: Tensor },
): void {
  const { kind, result, scale, dX } = options;
  const { overrides, workgroups } = perElement(x.device, x.size);
  x.device.dispatch(kernel, "backward", {
    bindings: { x, y: targets, result, d_x: dX },
    uniforms: { size: x.size, each: 0, groups: 0, scale },
    overrides: { ...overrides, logistic: kind === "logistic" },
    workgroups,
  });
}
