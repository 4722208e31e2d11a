/**
 * ONNX Runtime Web: its LayerNormalization.
 *
 * @module
 */
import { NAME, OnnxRuntime } from "../libraries/onnxruntime_web.ts";
import { OnnxModel } from "../onnx/model.ts";
import { repeated } from "../onnx/repeated.ts";
import type { Peer } from "../task.ts";
import type { LayerNormData } from "./data.ts";

/** One `run` a call. */
export const onnxruntimeWeb: Peer<LayerNormData> = {
  name: NAME,
  open: async ({ rows, columns, epsilon, ...data }) => {
    const ort = await OnnxRuntime.load();
    const model = new OnnxModel();
    model.node("LayerNormalization", [
      model.input("x", "float32", [rows, columns]),
      model.constant(data.weight),
      model.constant(data.bias),
    ], { attributes: { epsilon: { float: epsilon } }, outputs: ["out"] });
    model.output("out", "float32", [rows, columns]);
    const shape = [rows, columns];
    return await repeated(ort, model.encode(), { shape, inputs: { x: data.x }, chained: "x" });
  },
};
