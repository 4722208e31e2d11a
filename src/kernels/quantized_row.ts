/**
 * A linear layer of packed weights on a few rows, with what `linearRow` does beside the product.
 *
 * @module
 */
import type { Tensor } from "../gpu/tensor.ts";
import { gelu as geluOf } from "./gelu.ts";
import { layerNorm } from "./layer_norm.ts";
import type { LinearRowOptions } from "./linear_row.ts";
import { quantizedMatmul, type QuantizedMatrix } from "./quantized.ts";

/**
 * `gelu(norm(x)·W + bias) [+ out]` of x (…, K): (…, N), which is in `out` unless there is a GELU. Norm
 * and GELU take dispatches of their own.
 *
 * @throws {VitrailError} if rows of x are not as long as the weight is deep
 */
export function quantizedRow(
  x: Tensor,
  matrix: QuantizedMatrix,
  { norm, bias, gelu, out, accumulate }: LinearRowOptions = {},
): Tensor {
  const input = norm ? layerNorm(x, norm).out : x;
  if (!gelu) return quantizedMatmul(input, matrix, { bias, out, accumulate });
  return geluOf(quantizedMatmul(input, matrix, { bias }), gelu);
}
