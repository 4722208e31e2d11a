/**
 * A device that is not there: it has an adapter's limits, keeps account of memory and of what is
 * dispatched, and holds and computes nothing. What a program would take of the adapter is found by
 * letting it run on a ghost, however large its model.
 *
 * @module
 */
import { Device } from "./device.ts";

/**
 * A ghost of `device`: tensors have shapes and no contents, and what is read is zeros.
 *
 * @param options `unlimited: true` lifts the adapter's limits on sizes
 */
export function ghostOf(
  { raw, description, hasF16 }: Device,
  { unlimited = false }: { unlimited?: boolean } = {},
): Device {
  const { maxComputeInvocationsPerWorkgroup } = raw.limits;
  const limits = unlimited ? { ...NO_LIMITS, maxComputeInvocationsPerWorkgroup } : raw.limits;
  return new Device(ghostDevice(limits, hasF16), description);
}

/** Those that are looked at after a device is opened. */
type Limits = Pick<
  GPUSupportedLimits,
  | "maxBufferSize"
  | "maxStorageBufferBindingSize"
  | "maxTextureDimension2D"
  | "maxComputeWorkgroupsPerDimension"
  | "maxComputeInvocationsPerWorkgroup"
>;

/** Sizes alone: how many lanes share a workgroup decides what runs, and not whether it fits. */
const NO_LIMITS: Omit<Limits, "maxComputeInvocationsPerWorkgroup"> = {
  maxBufferSize: Infinity,
  maxStorageBufferBindingSize: Infinity,
  maxTextureDimension2D: Infinity,
  maxComputeWorkgroupsPerDimension: Infinity,
};

const nothing = (): void => {};

/** The part of `GPUDevice` that {@linkcode Device} calls, without effect. */
function ghostDevice(limits: Limits, hasF16: boolean): GPUDevice {
  const destroyable = { destroy: nothing };
  const pass = {
    setPipeline: nothing,
    setBindGroup: nothing,
    dispatchWorkgroups: nothing,
    end: nothing,
  };
  const encoder = {
    beginComputePass: () => pass,
    clearBuffer: nothing,
    copyBufferToBuffer: nothing,
    copyBufferToTexture: nothing,
    finish: () => ({}),
  };
  const stub = {
    limits,
    // Without timestamps, a profiler counts and does not time.
    features: new Set<GPUFeatureName>(hasF16 ? ["shader-f16"] : []),
    queue: { submit: nothing, writeBuffer: nothing, onSubmittedWorkDone: () => Promise.resolve() },
    lost: new Promise<GPUDeviceLostInfo>(nothing),
    addEventListener: nothing,
    ...destroyable,
    createBuffer: ({ size }: GPUBufferDescriptor) => ({
      ...destroyable,
      mapAsync: () => Promise.resolve(),
      getMappedRange: () => new ArrayBuffer(size),
    }),
    createTexture: ({ size, format }: { size: [number, number]; format: GPUTextureFormat }) => ({
      ...destroyable,
      format,
      width: size[0],
      height: size[1],
      createView: () => ({}),
    }),
    createShaderModule: () => ({}),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createComputePipeline: () => ({}),
    createBindGroup: () => ({}),
    createCommandEncoder: () => encoder,
  };
  return stub as unknown as GPUDevice;
}
