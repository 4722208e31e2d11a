/**
 * Launches cover what they must, within what every adapter allows.
 *
 * @module
 */
import assert from "node:assert/strict";
import { matmul } from "../../src/kernels/matmul.ts";
import { lanesOf, perElement, perRow } from "../../src/kernels/launch.ts";
import { openDevices } from "./devices.ts";

/** Workgroups in one dimension, at most: WebGPU's default limit. */
const MOST = 65535;
const SIZES = [1, 7, 8, 9, 63, 64, 65, 5713, MOST * 8, MOST * 8 + 1, MOST * 64 + 1, 50257 * 768];

const launches = await openDevices();

for (const [name, device] of launches) {
  Deno.test(`launch, ${name}: as many invocations as elements, and less than a row more`, () => {
    for (const size of SIZES) {
      const { overrides, workgroups: [x, y, z] } = perElement(device, size);
      assert.equal(overrides.lanes, lanesOf(device));
      const reached = x * y * z * lanesOf(device);
      assert.ok(reached >= size && reached - size < x * lanesOf(device), `${size}: ${reached}`);
      assert.ok(Math.max(x, y, z) <= MOST, `${size}: (${x}, ${y}, ${z})`);
    }
    assert.deepEqual(perElement(device, 9, 29, 3).workgroups.slice(1), [29, 3]);
  });

  Deno.test(`launch, ${name}: as many teams as rows`, () => {
    for (const size of SIZES) {
      const { overrides, workgroups: [x, y, z] } = perRow(device, size);
      const rows = Number(overrides.rows);
      const reached = x * y * z * rows;
      assert.ok(reached >= size && reached - size < x * rows, `${size}: ${reached}`);
      assert.ok(Math.max(x, y, z) <= MOST, `${size}: (${x}, ${y}, ${z})`);
      // A tree over lanes halves them each time: only powers of two come out even.
      assert.equal(Math.log2(Number(overrides.lanes)) % 1, 0);
    }
  });
}

Deno.test("launch: a dispatch beyond the adapter's limit is refused in words", () => {
  const [[, device]] = launches;
  using _scope = device.scope();
  const limit = device.raw.limits.maxComputeWorkgroupsPerDimension;
  const tall = device.tensor([64 * limit + 1, 1]);
  assert.throws(() => matmul(tall, device.tensor([1, 1]), { variant: "shared" }), {
    name: "VitrailError",
    message: `Cannot dispatch matmul_shared.forward over (1, ${limit + 1}, 1) workgroups: ` +
      `this adapter's maxComputeWorkgroupsPerDimension is ${limit}`,
  });
});
