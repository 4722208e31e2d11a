/**
 * A graph with one output, run again and again: what most tasks ask of ONNX Runtime Web.
 *
 * @module
 */
import type { OnnxRuntime, OrtTensor } from "../libraries/onnxruntime_web.ts";
import type { Session } from "../task.ts";

/**
 * Opens a graph whose output is called `out`, with its inputs, which all have one shape, on the device.
 *
 * @param options.chained the input that each call takes from the `out` before; absent if all calls read the
 * same numbers
 */
export async function repeated(
  ort: OnnxRuntime,
  graph: Uint8Array,
  options: {
    shape: readonly number[];
    inputs: Record<string, Float32Array<ArrayBuffer>>;
    chained?: string;
  },
): Promise<Session> {
  const { shape, inputs, chained } = options;
  const session = await ort.open(graph);
  const feeds: Record<string, OrtTensor> = {};
  for (const [name, data] of Object.entries(inputs)) feeds[name] = await ort.upload(shape, data);
  return {
    run: async (calls) => {
      const results: OrtTensor[] = [];
      // A session runs one feed at a time; awaiting it waits for no device, since out stays there.
      for (let i = 0; i < calls; i++) {
        if (chained === undefined) results.pop()?.dispose();
        const again = i > 0 && chained !== undefined;
        results.push(
          (await session.run(again ? { ...feeds, [chained]: results[i - 1] } : feeds)).out,
        );
      }
      const result = await results.at(-1)!.getData();
      results.forEach((tensor) => tensor.dispose());
      return result;
    },
    dispose: () => {
      session.release();
      Object.values(feeds).forEach(({ gpuBuffer }) => gpuBuffer.destroy());
    },
  };
}
