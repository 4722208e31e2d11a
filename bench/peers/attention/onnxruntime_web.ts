/**
 * ONNX Runtime Web: its fused operators, of which GroupQueryAttention is always causal and
 * MultiHeadAttention is so on request.
 *
 * @module
 */
import { fastest } from "../libraries/fastest.ts";
import { NAME, OnnxRuntime, type OrtTensor } from "../libraries/onnxruntime_web.ts";
import { OnnxModel } from "../onnx/model.ts";
import type { Peer, Session } from "../task.ts";
import type { AttentionData } from "./task.ts";

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

async function open(
  ort: OnnxRuntime,
  data: AttentionData,
  operator: FusedOperator,
): Promise<Session> {
  const { batch, time, heads, headSize } = data;
  const session = await ort.open(graph(data, operator));
  const shape = [batch, time, heads * headSize];
  const [q, k, v] = await Promise.all(
    [data.q, data.k, data.v].map((numbers) => ort.upload(shape, numbers)),
  );
  return {
    run: async (calls) => {
      let out: OrtTensor | undefined;
      for (let i = 0; i < calls; i++) {
        out?.dispose();
        ({ out } = await session.run({ q, k, v }));
      }
      const result = await out!.getData();
      out!.dispose();
      return result;
    },
    dispose: () => {
      session.release();
      [q, k, v].forEach(({ gpuBuffer }) => gpuBuffer.destroy());
    },
  };
}

/** Forward only: it does not train. */
export const onnxruntimeWeb: Peer<AttentionData> = {
  name: NAME,
  open: async (data) => {
    if (data.backward) throw new Error("it has no gradients");
    const ort = await OnnxRuntime.load();
    return await fastest({
      GroupQueryAttention: () => open(ort, data, "GroupQueryAttention"),
      MultiHeadAttention: () => open(ort, data, "MultiHeadAttention"),
    });
  },
};
