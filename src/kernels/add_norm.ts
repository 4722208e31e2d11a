/**
 * A residual connection and the layer norm behind it.
 *
 * @module
 */
import source from "../../shaders/add_norm.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { both, perRow } from "./launch.ts";
import { checkNorm, type LayerNormResult } from "./layer_norm.ts";

const kernel = new Kernel("add_norm", source);

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
  a.device.dispatch(kernel, columns % 4 === 0 ? "forward" : "forward_odd", {
    bindings: { ...both({ a, b, weight, bias, sum, out }), mean, rstd },
    uniforms: { row_count: rows, columns, epsilon },
    ...perRow(a.device, rows),
  });
  return { sum, out, mean, rstd };
}
