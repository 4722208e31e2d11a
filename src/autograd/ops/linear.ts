/**
 * `x·W + b`, and GELU of it, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { columnSum } from "../../kernels/column_sum.ts";
import type { GeluKind } from "../../kernels/gelu.ts";
import { matmul } from "../../kernels/matmul.ts";
import { QuantizedWeight } from "../quantized_weight.ts";
import type { Run } from "../run.ts";
import { gelu, recordGelu } from "./gelu.ts";
import { quantizedLinear } from "./quantized.ts";

/** What x is multiplied by, and what is added. */
export interface LinearOptions {
  /** (in, out), or (out, in) if `transposed`; a quantized weight knows itself how it lies. */
  weight: Tensor | QuantizedWeight;
  /** (out). */
  bias?: Tensor;
  /** Whether the weight is stored (out, in). */
  transposed?: boolean;
}

/** x (…, in) times a weight, plus bias: (…, out). */
export function linear(run: Run, x: Tensor, options: LinearOptions): Tensor {
  const { weight, bias, transposed = false } = options;
  if (weight instanceof QuantizedWeight) return quantizedLinear(run, x, { weight, bias });
  const factor = run.operand(weight, x);
  const out = matmul(x, factor, { transposeB: transposed, bias });
  return recordLinear(run, x, { weight, bias, transposed, factor, out });
}

/**
 * `gelu(x·W + b)`, as `gelu` of {@linkcode linear} has it, in one kernel; what GELU is applied to is stored
 * where a backward pass will ask for it. Of a quantized weight it is two kernels.
 */
export function linearGelu(
  run: Run,
  x: Tensor,
  options: LinearOptions & { kind: GeluKind },
): Tensor {
  const { weight, bias, transposed = false, kind } = options;
  if (weight instanceof QuantizedWeight) return gelu(run, linear(run, x, options), kind);
  const factor = run.operand(weight, x);
  if (!run.tape) return matmul(x, factor, { transposeB: transposed, bias, gelu: { kind } });
  const columns = weight.shape[transposed ? 0 : 1];
  const before = x.device.tensor([...x.shape.slice(0, -1), columns], x.dtype);
  const out = matmul(x, factor, { transposeB: transposed, bias, gelu: { kind, before } });
  recordLinear(run, x, { weight, bias, transposed, factor, out: before });
  return recordGelu(run, before, { kind, out });
}

/**
 * Records that `out` is x times `factor`, which is the weight in the type of x, plus bias.
 *
 * dX = dOut·Wᵀ, dW = Xᵀ·dOut, dB = Σ_rows dOut.
 */
function recordLinear(
  run: Run,
  x: Tensor,
  options: LinearOptions & { weight: Tensor; factor: Tensor; out: Tensor },
): Tensor {
  const { weight, bias, transposed, factor, out } = options;
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
