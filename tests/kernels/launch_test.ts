/**
 * Launches cover what they must, within what every adapter allows.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Device } from "../../src/gpu/device.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { lanesOf, perElement, perRow, rectangle } from "../../src/kernels/launch.ts";
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

Deno.test("launch: a rectangle leaves the fewest lanes idle, then is as wide as it can", () => {
  // The fewest by trying all.
  for (const lanes of [8, 16, 64]) {
    for (const across of [1, 2, 3, 5, 8, 9, 24, 31]) {
      for (const down of [1, 2, 7, 8, 29]) {
        const [x, y] = rectangle(lanes, across, down);
        assert.equal(x * y, lanes);
        const reached = (width: number): number =>
          Math.ceil(across / width) * Math.ceil(down / (lanes / width));
        const widths = Array.from({ length: Math.log2(lanes) + 1 }, (_, i) => 2 ** i);
        const fewest = Math.min(...widths.map(reached));
        assert.equal(x, widths.filter((width) => reached(width) === fewest).at(-1));
      }
    }
  }
  assert.deepEqual(rectangle(16, 24, 29), [8, 2]);
});

Deno.test("launch: a driver that says the width of its vectors is believed", () => {
  const { raw } = launches[0][1];
  assert.equal(new Device(raw, "llvmpipe (LLVM 15.0.6, 512 bits)").vectorLanes, 16);
  assert.equal(new Device(raw, "llvmpipe (LLVM 15.0.6, 256 bits)").vectorLanes, 8);
  assert.equal(new Device(raw, "SwiftShader Device (LLVM 10.0.0)").vectorLanes, 8);
});
