/**
 * What is asked of the numbers that kernels return, beside their closeness.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";

/** Fails unless two runs of `make` leave the same bytes. */
export async function assertSameBytes(device: Device, make: () => Tensor[]): Promise<void> {
  const run = async () => {
    using _scope = device.scope();
    return (await device.read(...make())).map((array) => new Uint8Array(array.buffer));
  };
  const [first, second] = [await run(), await run()];
  first.forEach((bytes, i) => {
    const at = bytes.findIndex((byte, j) => byte !== second[i][j]);
    assert.equal(at, -1, `result ${i}: byte ${at} of ${bytes.length} differs in the second run`);
  });
}

/** Fails if one element is further off than `absolute + relative·|expected|`. */
export function assertEach(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  options: { absolute?: number; relative?: number; label: string },
): void {
  const { absolute = 0, relative = 0, label } = options;
  assert.equal(actual.length, expected.length, label);
  for (let i = 0; i < expected.length; i++) {
    const bound = absolute + relative * Math.abs(expected[i]);
    const off = Math.abs(actual[i] - expected[i]);
    assert.ok(off <= bound, `${label}: [${i}] is ${actual[i]}, expected ${expected[i]} ± ${bound}`);
  }
}
