/**
 * ONNX Runtime Web: a graph that picks its own next token, whose cache and tokens never leave the
 * device until the last one is there.
 *
 * @module
 */
import { fastest } from "../libraries/fastest.ts";
import {
  NAME,
  OnnxRuntime,
  type OrtTensor,
  type OrtTensors,
} from "../libraries/onnxruntime_web.ts";
import { cacheNames, cacheShape, gptGraph } from "../onnx/gpt_graph.ts";
import type { ProductOperator } from "../onnx/model.ts";
import type { Peer, Session } from "../task.ts";
import type { GenerationData } from "./task.ts";

/** Reads the first number of each tensor with one wait: copied into one buffer, they travel together. */
async function readTogether(device: GPUDevice, tensors: OrtTensor[]): Promise<number[]> {
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
  const together = device.createBuffer({ size: 4 * tensors.length, usage });
  const encoder = device.createCommandEncoder();
  tensors.forEach(({ gpuBuffer }, i) =>
    encoder.copyBufferToBuffer(gpuBuffer, 0, together, 4 * i, 4)
  );
  device.queue.submit([encoder.finish()]);
  await together.mapAsync(GPUMapMode.READ);
  const numbers = Array.from(new Int32Array(together.getMappedRange()));
  together.destroy();
  return numbers;
}

async function open(
  ort: OnnxRuntime,
  { config, weights, prompt, most }: GenerationData,
  product: ProductOperator,
): Promise<Session> {
  const capacity = prompt.length + most;
  const graph = (time: number, product: ProductOperator): Uint8Array =>
    gptGraph(config, weights, { time, capacity, product });
  // Two sessions, for shapes that are known beforehand are what its planner likes best.
  const prefill = await ort.open(graph(prompt.length, "MatMul"));
  const decode = await ort.open(graph(1, product));
  const device = await ort.device;
  const present: OrtTensors = {};
  const past: OrtTensors = {};
  for (const name of cacheNames(config.layers)) {
    // One buffer is both input and output: attention then appends in place.
    past[`past_${name}`] = present[name] = await ort.upload(cacheShape(config, capacity));
  }
  const places = (first: number, count: number): OrtTensors => {
    const positions = Int32Array.from({ length: count }, (_, i) => first + i);
    return {
      positions: ort.host(positions, [1, count]),
      last: ort.host(positions.slice(-1), [1]),
      total: ort.host(Int32Array.of(first + count), []),
      ...past,
    };
  };
  const fetches = { next: null, ...present };
  const ids = ort.host(BigInt64Array.from(prompt, BigInt), [1, prompt.length]);
  return {
    run: async (calls) => {
      const first = await prefill.run({ ids, ...places(0, prompt.length) }, fetches);
      const tokens = [first.next];
      for (let i = 1; i < calls; i++) {
        const feeds = { ids: tokens[i - 1], ...places(prompt.length + i - 1, 1) };
        tokens.push((await decode.run(feeds, fetches)).next);
      }
      const numbers = await readTogether(device, tokens);
      tokens.forEach((token) => token.dispose());
      return numbers;
    },
    dispose: () => {
      prefill.release();
      decode.release();
      Object.values(present).forEach(({ gpuBuffer }) => gpuBuffer.destroy());
    },
  };
}

/** A few tokens decide whether MatMul or Einsum is the faster product of one row here. */
export const onnxruntimeWeb: Peer<GenerationData> = {
  name: NAME,
  open: async (data) => {
    const ort = await OnnxRuntime.load();
    return await fastest({
      Einsum: () => open(ort, data, "Einsum"),
      MatMul: () => open(ort, data, "MatMul"),
    }, 5);
  },
};
