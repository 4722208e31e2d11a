/**
 * ONNX Runtime Web: a graph of two products, by MatMul, or by Einsum, whose plain loop is the faster
 * one where rows are few.
 *
 * @module
 */
import { fastest } from "../libraries/fastest.ts";
import { NAME, OnnxRuntime } from "../libraries/onnxruntime_web.ts";
import { OnnxModel, type ProductOperator } from "../onnx/model.ts";
import { repeated } from "../onnx/repeated.ts";
import type { Peer, Session } from "../task.ts";
import type { Products } from "./data.ts";

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
  const shape = [rows, inner];
  return await repeated(ort, model.encode(), { shape, inputs: { x: data.x }, chained: "x" });
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
