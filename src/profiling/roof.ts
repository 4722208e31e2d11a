/**
 * The roof: what this adapter has been seen to do, measured on it by a copy and a product of matrices,
 * so that nobody types in a peak (Williams, Waterman & Patterson 2009, doi:10.1145/1498765.1498785).
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";
import { copyInto } from "../kernels/copy.ts";
import { matmul } from "../kernels/matmul.ts";
import { type Work, workOf } from "../kernels/work.ts";
import { record } from "./record.ts";

/** What the adapter has been seen to do. */
export interface Roof {
  /** 10⁹ bytes a second: the better of a copy by a shader and the stream's own. */
  gigabytes: number;
  /** 10⁹ operations a second, of a product of square matrices. */
  gflops: number;
}

/** Runs of each measurement, of which the best counts: a roof is what can be reached. */
const RUNS = 3;

/** Measures the roof; takes a few seconds on a processor. */
export async function measureRoof(device: Device): Promise<Roof> {
  await device.finish();
  device.pool.trim();
  using operands = device.detachedScope();
  // Beyond the caches, and products large enough to be bound by arithmetic.
  const numbers = Math.min(
    device.isCpu ? 1 << 23 : 1 << 26,
    device.raw.limits.maxStorageBufferBindingSize / 8,
  );
  const [x, y] = operands.run(() => [device.zeros([numbers]), device.zeros([numbers])]);
  const squares = operands.run(() =>
    (device.isCpu ? [512, 1024] : [2048, 4096]).map((n) => [0, 1].map(() => device.zeros([n, n])))
  );
  const run = (): void => {
    copyInto(x, y);
    device.commands.copy(x.buffer, y.buffer, numbers * 4);
    for (const [a, b] of squares) {
      using _product = device.scope();
      matmul(a, b);
    }
  };
  run();
  await device.finish();
  const { events } = await record(device, () => {
    for (let i = 0; i < RUNS; i++) run();
  });
  const roof: Roof = { gigabytes: 0, gflops: 0 };
  for (const event of events) {
    const work = workOf(event.name, event);
    if (!work || !event.milliseconds) continue;
    const rate = (count: number): number => count / event.milliseconds! / 1e6;
    if (event.name.startsWith("matmul")) roof.gflops = Math.max(roof.gflops, rate(work.flops));
    else if (event.name !== "copy to texture") {
      roof.gigabytes = Math.max(roof.gigabytes, rate(work.bytes));
    }
  }
  return roof;
}

/**
 * The milliseconds that work would take under the roof: those of its operations or of its bytes,
 * whichever takes longer.
 */
export function leastMilliseconds({ flops, bytes }: Work, roof: Roof): number {
  return Math.max(flops / roof.gflops, bytes / roof.gigabytes) / 1e6;
}
