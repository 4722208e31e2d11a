/**
 * ONNX Runtime Web: its fused operators, of which GroupQueryAttention is always causal and
 * MultiHeadAttention is so on request.
 *
 * @module
 */
import { fastest } from "../libraries/fastest.ts";
import { NAME, OnnxRuntime } from "../libraries/onnxruntime_web.ts";
import { OnnxModel } from "../onnx/model.ts";
import { repeated } from "../onnx/repeated.ts";
import type { Peer } from "../task.ts";
import type { AttentionData } from "./data.ts";

type FusedOperator = "GroupQueryAttention" | "MultiHeadAttention";

function graph(
  { batch, time, heads, headSize }: AttentionData,
  operator: FusedOperator,
): Uint8Array {
  const model = new OnnxModel();
  const shape = [batch, time, heads * headSize];
  const inputs = ["q", "k", "v"].map((name) => model.input(name, "float32", shape));
  if (operator === "GroupQueryAttention") {
    const last = model.constant(new Int32Array(batch).fill(time - 1));
    const total = model.constant(Int32Array.of(time), []);
    model.contributed(operator, [...inputs, "", "", last, total], {
      attributes: { num_heads: heads, kv_num_heads: heads },
      outputs: ["out", "keys", "values"],
    });
  } else {
    model.contributed(operator, inputs, {
      attributes: { num_heads: heads, unidirectional: 1 },
      outputs: ["out"],
    });
  }
  model.output("out", "float32", shape);
  return model.encode();
}

/** Forward only: it does not train. */
export const onnxruntimeWeb: Peer<AttentionData> = {
  name: NAME,
  open: async (data) => {
    if (data.backward) throw new Error("it has no gradients");
    const ort = await OnnxRuntime.load();
    const { batch, time, heads, headSize, q, k, v } = data;
    const given = { shape: [batch, time, heads * headSize], inputs: { q, k, v } };
    const open = (operator: FusedOperator) => repeated(ort, graph(data, operator), given);
    return await fastest({
      GroupQueryAttention: () => open("GroupQueryAttention"),
      MultiHeadAttention: () => open("MultiHeadAttention"),
    });
  },
};
