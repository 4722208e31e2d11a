/**
 * ONNX Runtime Web on its WebGPU execution provider. Under Deno it finds its WebAssembly in the npm
 * cache by itself. It runs files, so a model of one MatMul node is written here, byte by byte.
 *
 * @module
 */
import type { Peer, Session } from "./peer.ts";

// In a variable, so that checking the project's types downloads none of the peers.
const SPECIFIER = "npm:onnxruntime-web@1.30.0/webgpu";

interface OrtTensor {
  getData(): Promise<Float32Array>;
  dispose(): void;
}

interface Ort {
  env: { logLevel: string; webgpu: { powerPreference: string; device: Promise<GPUDevice> } };
  InferenceSession: {
    create(model: Uint8Array, options: object): Promise<{
      run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
      release(): Promise<void>;
    }>;
  };
  Tensor: { fromGpuBuffer(buffer: GPUBuffer, options: object): OrtTensor };
}

// Protocol buffers: a field is its number and wire type, then an integer or a length with bytes.
const utf8 = new TextEncoder();
const varint = (n: number): number[] => n < 128 ? [n] : [n & 127 | 128, ...varint(n >>> 7)];
const integer = (field: number, n: number): number[] => [...varint(field << 3), ...varint(n)];
const message = (field: number, ...parts: ArrayLike<number>[]): number[] => {
  const content = parts.flatMap((part) => Array.from(part));
  return [...varint(field << 3 | 2), ...varint(content.length), ...content];
};
const text = (field: number, s: string): number[] => message(field, utf8.encode(s));

/** A `ModelProto` (onnx.proto) with out = MatMul(a, b), all (n, n) f32. */
export function matmulModel(n: number): Uint8Array {
  const dimension = message(1, integer(1, n));
  const type = message(2, message(1, integer(1, 1), message(2, dimension, dimension)));
  const node = message(1, text(1, "a"), text(1, "b"), text(2, "out"), text(4, "MatMul"));
  const inputs = ["a", "b"].map((name) => message(11, text(1, name), type));
  const graph = message(7, node, text(2, "matmul"), ...inputs, message(12, text(1, "out"), type));
  const irVersion = integer(1, 8);
  const operatorSet = message(8, integer(2, 17));
  return Uint8Array.from([...irVersion, ...graph, ...operatorSet]);
}

/** One `run` a product, with operands and products left on the device. */
export const onnxruntimeWeb: Peer = {
  name: "onnxruntime-web 1.30.0",
  open: async ({ n, a, b }): Promise<Session> => {
    const ort: Ort = await import(SPECIFIER);
    ort.env.logLevel = "error";
    ort.env.webgpu.powerPreference = "high-performance";
    const session = await ort.InferenceSession.create(matmulModel(n), {
      executionProviders: ["webgpu"],
      preferredOutputLocation: "gpu-buffer",
    });
    const device = await ort.env.webgpu.device;
    const buffers = [a, b].map((data) => {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      const buffer = device.createBuffer({ size: data.byteLength, usage });
      device.queue.writeBuffer(buffer, 0, data);
      return buffer;
    });
    const [x, y] = buffers.map((buffer) =>
      ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [n, n] })
    );
    return {
      run: async (calls) => {
        const products: OrtTensor[] = [];
        // A session runs one feed at a time; awaiting it waits for no device, since out stays there.
        for (let i = 0; i < calls; i++) {
          products.push((await session.run({ a: products.at(-1) ?? x, b: y })).out);
        }
        const result = await products.at(-1)!.getData();
        products.forEach((product) => product.dispose());
        return result;
      },
      dispose: () => {
        session.release();
        buffers.forEach((buffer) => buffer.destroy());
      },
    };
  },
};
