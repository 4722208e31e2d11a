/**
 * Products with weights in fewer bits, recorded: the gradient passes through them and not into them.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { columnSum } from "../../kernels/column_sum.ts";
import { matmul } from "../../kernels/matmul.ts";
import {
  quantizedEmbedding as lookup,
  quantizedMatmul,
  unpackMatrix,
} from "../../kernels/quantized.ts";
import type { QuantizedWeight } from "../quantized_weight.ts";
import type { Run } from "../run.ts";

/**
 * x (…, in) times a quantized weight, plus bias (out): (…, out). dX = dOut·Wᵀ, dB = Σ_rows dOut.
 *
 * @throws {VitrailError} if the pass trains parameters and the weight is not frozen
 */
export function quantizedLinear(
  run: Run,
  x: Tensor,
  { weight, bias }: { weight: QuantizedWeight; bias?: Tensor },
): Tensor {
  refuseToTrain(run, weight);
  const out = quantizedMatmul(x, weight.matrix, { bias });
  run.record(out, [x, bias], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      const unpacked = unpackMatrix(weight.matrix);
      matmul(dOut, unpacked, { transposeB: true, out: tensor, accumulate });
      x.device.pool.release(unpacked.buffer);
    });
    gradients.into(bias, ({ tensor, accumulate }) => columnSum(dOut, tensor, { accumulate }));
  });
  return out;
}

/**
 * `token[ids] + position[offset + t]` with a quantized table (V, C): ids (B, T) to (B, T, C).
 *
 * @throws {VitrailError} if the pass trains parameters and the table is not frozen
 */
export function quantizedEmbedding(
  run: Run,
  ids: Tensor,
  { token, position, offset }: { token: QuantizedWeight; position?: Tensor; offset?: number },
): Tensor {
  refuseToTrain(run, token);
  return lookup(ids, { token: token.matrix, position, offset });
}

function refuseToTrain({ tape }: Run, { name, frozen, matrix: { format } }: QuantizedWeight): void {
  if (!tape?.trains || frozen) return;
  throw new VitrailError(
    `Cannot train ${name}: it is kept in ${format}, through which no gradient step would show; ` +
      "train the model in f32, or add a LoRA adapter to this one",
  );
}
