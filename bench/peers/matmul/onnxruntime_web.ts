/**
 * ONNX Runtime Web: a graph of two products, by MatMul, or by Einsum, whose plain loop is the faster
 * one where rows are few.
 *
 * @module
 */
import { fastest } from "../libraries/fastest.ts";
import { NAME, OnnxRuntime, type OrtTensor } from "../libraries/onnxruntime_web.ts";
import { OnnxModel, type ProductOperator } from "../onnx/model.ts";
import type { Peer, Session } from "../task.ts";
import type { Products } from "./task.ts";

async function open(
  ort: OnnxRuntime,
  { rows, inner, outer, ...data }: Products,
  operator: ProductOperator,
): Promise<Session> {
  const model = new OnnxModel();
  const up = model.constant(data.up, [inner, outer]);
  const down = model.constant(data.down, [outer, inner]);
  const between = model.product(operator, [model.input("x", "float32", [rows, inner]), up]);
  model.product(operator, [between, down], { name: "out" });
  model.output("out", "float32", [rows, inner]);
  const session = await ort.open(model.encode());
  const x = await ort.upload([rows, inner], data.x);
  return {
    run: async (calls) => {
      const results: OrtTensor[] = [];
      // A session runs one feed at a time; awaiting it waits for no device, since out stays there.
      for (let i = 0; i < calls; i++) {
        results.push((await session.run({ x: results.at(-1) ?? x })).out);
      }
      const result = await results.at(-1)!.getData();
      results.forEach((tensor) => tensor.dispose());
      return result;
    },
    dispose: () => {
      session.release();
      x.gpuBuffer.destroy();
    },
  };
}

/** One `run` a pair, with operands and products left on the device. */
export const onnxruntimeWeb: Peer<Products> = {
  name: NAME,
  open: async (products) => {
    const ort = await OnnxRuntime.load();
    const ways = (["MatMul", "Einsum"] as const).map((operator) =>
      [operator, () => open(ort, products, operator)] as const
    );
    // Einsum's loop over many rows takes minutes, which nobody would choose.
    return await fastest(Object.fromEntries(products.rows > 8 ? ways.slice(0, 1) : ways));
  },
};
