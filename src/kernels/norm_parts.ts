/**
 * Layer norm in its parts: the unfused twin of `layer_norm.ts`, for those who look between them.
 *
 * @module
 */
import source from "../../shaders/norm_parts.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perElement, perRow } from "./launch.ts";

const kernel = new Kernel("norm_parts", source);

/** Sizes of a call over the rows of x (…, C), with one invocation for each. */
function rowsOf(x: Tensor, epsilon = 0) {
  const columns = x.shape.at(-1)!;
  const rows = x.size / columns;
  const launch = perRow(x.device, rows, { rounds: 3 * columns });
  return { uniforms: { row_count: rows, columns, epsilon }, ...launch };
}

function checkScale(x: Tensor, scale: Tensor): void {
  const rows = x.size / x.shape.at(-1)!;
  if (scale.size === rows) return;
  throw new VitrailError(
    `Cannot normalize (${x.shape.join(", ")}) by scales (${scale.shape.join(", ")}): ` +
      `wanted one for each of ${rows} rows`,
  );
}

/** `√(mean((x - mean)²) + epsilon)` of each row: (…, C) to (…, 1), in f32. */
export function normScale(x: Tensor, { epsilon }: { epsilon: number }): Tensor {
  const scale = x.device.tensor([...x.shape.slice(0, -1), 1]);
  x.device.dispatch(kernel, "scale", { bindings: { x, scale_out: scale }, ...rowsOf(x, epsilon) });
  return scale;
}

/** The gradient of x, given that of its scale. */
export function normScaleBackward(x: Tensor, saved: { scale: Tensor; dScale: Tensor }): Tensor {
  const dX = x.device.tensor(x.shape, x.dtype);
  x.device.dispatch(kernel, "scale_backward", {
    bindings: { x, scale_in: saved.scale, d_scale_in: saved.dScale, d_x: dX },
    ...rowsOf(x),
  });
  return dX;
}

/**
 * `(x - mean)/scale`, with a scale for each row.
 *
 * @throws {VitrailError} unless there is one for each row
 */
export function divideRows(x: Tensor, { scale }: { scale: Tensor }): Tensor {
  checkScale(x, scale);
  const out = x.device.tensor(x.shape, x.dtype);
  x.device.dispatch(kernel, "divide", { bindings: { x, scale_in: scale, out }, ...rowsOf(x) });
  return out;
}

/** The gradients of x and of the scale. */
export function divideRowsBackward(
  x: Tensor,
  saved: { scale: Tensor; dOut: Tensor },
): { dX: Tensor; dScale: Tensor } {
  const { scale, dOut } = saved;
  const dX = x.device.tensor(x.shape, x.dtype);
  const dScale = x.device.tensor(scale.shape);
  x.device.dispatch(kernel, "divide_backward", {
    bindings: { x, scale_in: scale, d_out: dOut, d_x: dX, d_scale_out: dScale },
    ...rowsOf(x),
  });
  return { dX, dScale };
}

/** `x·weight + bias` over the last dimension; without bias, the gradient of x given that of the result. */
export function affine(x: Tensor, { weight, bias }: { weight: Tensor; bias?: Tensor }): Tensor {
  const { uniforms } = rowsOf(x);
  const out = x.device.tensor(x.shape, x.dtype);
  const { overrides, workgroups } = perElement(x.device, x.size);
  x.device.dispatch(kernel, "affine", {
    bindings: { x, weight, bias: bias ?? x.device.nothing, out },
    uniforms,
    overrides: { ...overrides, has_bias: bias !== undefined },
    workgroups,
  });
  return out;
}
