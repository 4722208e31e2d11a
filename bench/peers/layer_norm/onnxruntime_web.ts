/**
 * ONNX Runtime Web: its LayerNormalization.
 *
 * @module
 */
import { NAME, OnnxRuntime, type OrtTensor } from "../libraries/onnxruntime_web.ts";
import { OnnxModel } from "../onnx/model.ts";
import type { Peer } from "../task.ts";
import type { LayerNormData } from "./task.ts";

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
    const session = await ort.open(model.encode());
    const x = await ort.upload([rows, columns], data.x);
    return {
      run: async (calls) => {
        const results: OrtTensor[] = [];
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
  },
};
