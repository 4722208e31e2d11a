/**
 * Devices and tensors for the tests of kernels, laid out so that careless shaders are found out.
 *
 * @module
 */
import { Device, openDevice } from "../../src/gpu/device.ts";
import { type NumericArray, sizeOf, type Tensor } from "../../src/gpu/tensor.ts";

/** How kernels are launched, and a device on which they are. */
export type Launch = readonly [name: "processor" | "graphics", device: Device];

/**
 * More elements than 65535 workgroups of eight vectors of four: beyond this a launch on a processor
 * folds into a second dimension, and 3 is no multiple of four.
 */
export const FOLDED = 65535 * 8 * 4 + 3;

/** `size` numbers that repeat those of `values`, so that a reference need only see one round of them. */
export function repeated<T extends Float32Array | Float64Array>(values: T, size: number): T {
  const out = values instanceof Float32Array ? new Float32Array(size) : new Float64Array(size);
  for (let i = 0; i < size; i++) out[i] = values[i % values.length];
  return out as T;
}

/**
 * The adapter, once as a processor and once as a graphics processor: kernels choose their workgroups,
 * teams and tiles by that, and every adapter must run both. Destroyed after the file's last test.
 */
export async function openDevices(): Promise<Launch[]> {
  const { raw } = await openDevice();
  const launches: Launch[] = [
    ["processor", new Device(raw, "llvmpipe")],
    ["graphics", new Device(raw, "a graphics processor")],
  ];
  Deno.test.afterAll(() => {
    for (const [, device] of launches) {
      device.check();
      device.pool.destroy();
    }
    raw.destroy();
  });
  return launches;
}

/** A tensor whose whole buffer, with what lies behind its last element, is NaN. */
export function blank(device: Device, shape: readonly number[]): Tensor {
  const out = device.tensor(shape);
  device.commands.write(out.buffer, new Float32Array(out.buffer.byteLength / 4).fill(NaN));
  return out;
}

/** Uploads numbers, rounded to f32 if they are float64, with NaN behind the last one. */
export function upload(
  device: Device,
  data: NumericArray | Float64Array,
  shape: readonly number[] = [data.length],
): Tensor {
  const exact = data instanceof Float64Array ? new Float32Array(data) : data;
  if (!(exact instanceof Float32Array)) return device.upload(exact, shape);
  const out = blank(device, shape);
  device.write(out, exact);
  return out;
}

/** Leaves NaN in the buffers that the next tensors of these shapes will get. */
export function poison(device: Device, ...shapes: readonly (readonly number[])[]): void {
  using _scope = device.scope();
  for (const shape of shapes) {
    for (let i = 0; i < 3; i++) blank(device, [Math.max(1, sizeOf(shape))]);
  }
}
