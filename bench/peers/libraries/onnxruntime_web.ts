/**
 * ONNX Runtime Web on its WebGPU execution provider, as far as the comparison uses it. Under Deno it
 * finds its WebAssembly in the npm cache by itself.
 *
 * @module
 */
import { sizeOf } from "../../../src/gpu/tensor.ts";
import type { OnnxType } from "../onnx/model.ts";

/** Name and version. */
export const NAME = "onnxruntime-web 1.30.0";

// In a variable, so that checking the project's types downloads none of the peers.
const SPECIFIER = "npm:onnxruntime-web@1.30.0/webgpu";

/** A tensor on the host or on the device. */
export interface OrtTensor {
  readonly gpuBuffer: GPUBuffer;
  getData(): Promise<Float32Array>;
  dispose(): void;
}

/** Tensors by name. */
export type OrtTensors = Record<string, OrtTensor>;

/** A model that is ready to run. */
export interface OrtSession {
  /** `fetches` says which tensors take the outputs; null asks for a new one. */
  run(feeds: OrtTensors, fetches?: Record<string, OrtTensor | null>): Promise<OrtTensors>;
  release(): Promise<void>;
}

interface Ort {
  env: { logLevel: string; webgpu: { powerPreference: string; device: Promise<GPUDevice> } };
  InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> };
  Tensor: {
    new (type: OnnxType, data: OrtData, dims: readonly number[]): OrtTensor;
    fromGpuBuffer(buffer: GPUBuffer, options: object): OrtTensor;
  };
}

type OrtData = Float32Array | Int32Array | BigInt64Array;

/** The library, its sessions and tensors. */
export class OnnxRuntime {
  readonly #ort: Ort;

  private constructor(ort: Ort) {
    this.#ort = ort;
  }

  /** Loads it. */
  static async load(): Promise<OnnxRuntime> {
    const ort: Ort = await import(SPECIFIER);
    ort.env.logLevel = "error";
    ort.env.webgpu.powerPreference = "high-performance";
    return new OnnxRuntime(ort);
  }

  /** A session whose outputs stay on the device, and whose commands are not validated a second time. */
  open(model: Uint8Array): Promise<OrtSession> {
    return this.#ort.InferenceSession.create(model, {
      executionProviders: [{ name: "webgpu", validationMode: "disabled" }],
      preferredOutputLocation: "gpu-buffer",
      // Warnings say that shapes are computed on the processor, which is how it should be.
      logSeverityLevel: 3,
    });
  }

  /** The device of its sessions; open one first. */
  get device(): Promise<GPUDevice> {
    return this.#ort.env.webgpu.device;
  }

  /** A tensor of the host. */
  host(data: OrtData, dims: readonly number[]): OrtTensor {
    const type = data instanceof Float32Array
      ? "float32"
      : data instanceof Int32Array
      ? "int32"
      : "int64";
    return new this.#ort.Tensor(type, data, dims);
  }

  /** A tensor of 32-bit numbers on the device: `data`, or zeros. `OrtTensor.gpuBuffer` is its buffer. */
  async upload(dims: readonly number[], data?: Float32Array<ArrayBuffer>): Promise<OrtTensor> {
    const device = await this.device;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const buffer = device.createBuffer({ size: 4 * sizeOf(dims), usage });
    if (data) device.queue.writeBuffer(buffer, 0, data);
    return this.#ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims });
  }
}
