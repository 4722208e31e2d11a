/**
 * Layer norm over the last dimension, alone or behind a residual connection.
 *
 * @module
 */
import source from "../../shaders/layer_norm.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { both, perRow } from "./launch.ts";

const kernel = new Kernel("layer_norm", source);

/** What the forward pass leaves for the backward pass. */
export interface LayerNormResult {
  /** Normalized rows, of x's shape. */
  out: Tensor;
  /** Mean of each row. */
  mean: Tensor;
  /** 1/√(variance + epsilon) of each row. */
  rstd: Tensor;
}

/** Throws if weight and bias are not as long as the rows of x. */
function checkNorm(x: Tensor, { weight, bias }: { weight: Tensor; bias: Tensor }): void {
  const columns = x.shape.at(-1)!;
  if (weight.size === columns && bias.size === columns) return;
  throw new VitrailError(
    `Cannot normalize rows of ${columns} with ${weight.size} weights and ${bias.size} biases: ` +
      "sizes must match",
  );
}

/** Normalizes each row of x (…, C) and applies weight and bias (C). */
export function layerNorm(
  x: Tensor,
  parameters: { weight: Tensor; bias: Tensor; epsilon: number },
): LayerNormResult {
  const { weight, bias, epsilon } = parameters;
  checkNorm(x, parameters);
  const columns = x.shape.at(-1)!;
  const rows = x.size / columns;
  const out = x.device.tensor(x.shape, x.dtype);
  const [mean, rstd] = [0, 1].map(() => x.device.tensor([rows]));
  x.device.dispatch(kernel, columns % 4 === 0 ? "forward" : "forward_odd", {
    bindings: { ...both({ x, weight, bias, out }), mean, rstd },
    uniforms: { row_count: rows, columns, epsilon },
    ...perRow(x.device, rows),
  });
  return { out, mean, rstd };
}

/** `sum = a + b` (…, C), and each of its rows normalized with weight and bias (C). */
export function addNorm(
  a: Tensor,
  b: Tensor,
  parameters: { weight: Tensor; bias: Tensor; epsilon: number },
): LayerNormResult & { sum: Tensor } {
  const { weight, bias, epsilon } = parameters;
  if (a.size !== b.size) {
    throw new VitrailError(
      `Cannot add (${a.shape.join(", ")}) and (${b.shape.join(", ")}): shapes must match`,
    );
  }
  checkNorm(a, parameters);
  const columns = a.shape.at(-1)!;
  const rows = a.size / columns;
  const [sum, out] = [0, 1].map(() => a.device.tensor(a.shape, a.dtype));
  const [mean, rstd] = [0, 1].map(() => a.device.tensor([rows]));
  a.device.dispatch(kernel, columns % 4 === 0 ? "added" : "added_odd", {
    bindings: { ...both({ x: a, y: b, weight, bias, residual: sum, out }), mean, rstd },
    uniforms: { row_count: rows, columns, epsilon },
    ...perRow(a.device, rows),
  });
  return { sum, out, mean, rstd };
}

/** Writes or adds the gradient of x into `dX`; `column_sum.ts` has those of weight and bias. */
export function layerNormBackward(
  dOut: Tensor,
  saved: { x: Tensor; weight: Tensor; mean: Tensor; rstd: Tensor },
  options: { dX: Tensor; accumulate: boolean },
): void {
  const { x, weight, mean, rstd } = saved;
  const columns = x.shape.at(-1)!;
  const rows = x.size / columns;
  const { overrides, workgroups } = perRow(x.device, rows);
  x.device.dispatch(kernel, columns % 4 === 0 ? "backward" : "backward_odd", {
    bindings: { ...both({ x, weight, d_out: dOut, d_x: options.dX }), mean, rstd },
    uniforms: { row_count: rows, columns, epsilon: 0 },
    overrides: { ...overrides, accumulate: options.accumulate },
    workgroups,
  });
}
