/**
 * `x·W + b`, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { columnSum } from "../../kernels/column_sum.ts";
import { matmul } from "../../kernels/matmul.ts";
import { QuantizedWeight } from "../quantized_weight.ts";
import type { Run } from "../run.ts";
import { quantizedLinear } from "./quantized.ts";

/**
 * x (…, in) times a weight (in, out), or (out, in) if `transposed`, plus bias (out): (…, out).
 *
 * A quantized weight knows itself how it lies.
 *
 * dX = dOut·Wᵀ, dW = Xᵀ·dOut, dB = Σ_rows dOut.
 */
export function linear(
  run: Run,
  x: Tensor,
  options: { weight: Tensor | QuantizedWeight; bias?: Tensor; transposed?: boolean },
): Tensor {
  const { weight, bias, transposed = false } = options;
  if (weight instanceof QuantizedWeight) return quantizedLinear(run, x, { weight, bias });
  const factor = run.operand(weight, x);
  const out = matmul(x, factor, { transposeB: transposed, bias });
  run.record(out, [x, weight, bias], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      matmul(dOut, factor, { transposeB: !transposed, out: tensor, accumulate });
    });
    gradients.into(weight, ({ tensor, accumulate }) => {
      const [a, b] = transposed ? [dOut, x] : [x, dOut];
      matmul(a, b, { transposeA: true, out: tensor, accumulate });
    });
    gradients.into(bias, ({ tensor, accumulate }) => columnSum(dOut, tensor, { accumulate }));
  });
  return out;
}
