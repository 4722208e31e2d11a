/**
 * Token and position embeddings, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import {
  embedding as forward,
  embeddingPositionBackward,
  type EmbeddingTables,
  embeddingTokenBackward,
} from "../../kernels/embedding.ts";
import { QuantizedWeight } from "../quantized_weight.ts";
import type { Run } from "../run.ts";
import { quantizedEmbedding } from "./quantized.ts";

/** `token[ids] + position[offset + t]`: ids (B, T) to (B, T, C). */
export function embedding(
  run: Run,
  ids: Tensor,
  tables: Omit<EmbeddingTables, "token"> & { token: Tensor | QuantizedWeight },
): Tensor {
  const { token, position, offset, padId } = tables;
  if (token instanceof QuantizedWeight) {
    return quantizedEmbedding(run, ids, { token, position, offset });
  }
  const out = forward(ids, { ...tables, token, dtype: run.dtype });
  run.record(out, [token, position], (dOut, gradients) => {
    gradients.into(token, ({ tensor, accumulate }) => {
      if (!accumulate) ids.device.commands.clear(tensor.buffer);
      embeddingTokenBackward(ids, dOut, { dToken: tensor, padId });
    });
    gradients.into(position, ({ tensor, accumulate }) => {
      if (!accumulate) ids.device.commands.clear(tensor.buffer);
      embeddingPositionBackward(ids, dOut, { dPosition: tensor, offset });
    });
  });
  return out;
}
