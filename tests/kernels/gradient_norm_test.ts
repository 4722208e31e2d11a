/**
 * The global gradient norm and the factor that clips it.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import {
  createGradientNorm,
  type GradientNorm,
  type LossScale,
} from "../../src/kernels/gradient_norm.ts";
import { assertClose, numbers } from "../compare.ts";
import { gradientNorm as reference } from "../reference/gradient_norm.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, upload } from "./devices.ts";

/**
 * The norm of gradients that lie in two flat tensors, every second one in each and in the wrong order,
 * with NaN in the gaps between them.
 */
function normOf(
  device: Device,
  gradients: Float32Array[],
  lossScale?: LossScale,
): GradientNorm {
  const halves = [0, 1].map((half) => gradients.keys().toArray().filter((i) => i % 2 === half));
  return createGradientNorm(
    halves.filter((half) => half.length > 0).map((half) => {
      const indices = half.toReversed();
      let size = 0;
      const parts = indices.map((i) => {
        const part = { begin: size, size: gradients[i].length };
        size = Math.ceil((size + part.size + 1) / 4) * 4;
        return part;
      });
      const data = new Float32Array(size).fill(NaN);
      parts.forEach(({ begin }, j) => data.set(gradients[indices[j]], begin));
      return { flat: upload(device, data), parts, indices };
    }),
    lossScale,
  );
}

// On both sides of 64 elements a sum, and beyond 4096 sums a tensor.
const SIZES = [1, 64, 65, 29 * 197, 4096 * 64 + 11];
const host = SIZES.map((size, i) => numbers(size, i + 1).map((v) => v * 10 ** (1 - i)));

for (const [name, device] of await openDevices()) {
  Deno.test(`gradient norm, ${name}: norm, sums and factor for limits on both sides`, async () => {
    using _scope = device.scope();
    const norm = normOf(device, host);
    for (const limit of [0, 0.5, 1, 1e3]) {
      norm.compute(limit);
      const [clip, sums] = await device.read(norm.clip, norm.sums);
      const expected = reference(host, limit);
      const label = `limit ${limit}`;
      assertClose(sums, expected.sums, { bound: 1e-6, label });
      assertClose([clip[0]], [expected.norm], { bound: 1e-6, label: `${label} norm` });
      assertClose([clip[1]], [expected.factor], { bound: 1e-6, label: `${label} factor` });
      assert.equal(clip[2], 0, `${label} is finite`);
      if (limit === 0 || limit === 1e3) assert.equal(clip[1], 1, `${label} clips nothing`);
    }
  });

  Deno.test(`gradient norm, ${name}: a loss scale is taken out, and follows what the gradients bear`, async () => {
    using _scope = device.scope();
    const scaled = host.map((g) => g.map((v) => v * 64));
    const state = upload(device, Float32Array.of(64, 0, 5));
    const norm = normOf(device, scaled, { state, growth: 2 });
    const expected = reference(host, 0.5);
    const read = async () => {
      norm.compute(0.5);
      return (await device.read(norm.clip, state)).map((array) => [...array]);
    };
    let [clip, after] = await read();
    assertClose([clip[0]], [expected.norm], { bound: 1e-6, label: "norm" });
    assertClose([clip[1]], [expected.factor / 64], { bound: 1e-6, label: "factor" });
    assert.deepEqual([clip[2], ...after], [0, 64, 1, 5]);
    [, after] = await read();
    assert.deepEqual(after, [128, 0, 5], "two finite steps double it");
    // A norm is taken with the scale as it was, though it grows with this very step.
    [clip] = await read();
    assertClose([clip[0]], [expected.norm / 2], { bound: 1e-6, label: "norm at 128" });
    const spoilt = normOf(device, [Float32Array.of(1, Infinity, 2)], { state, growth: 2 });
    for (const [scale, skipped] of [[64, 6], [32, 7]]) {
      spoilt.compute(0.5);
      const [told, now] = await device.read(spoilt.clip, state);
      assert.equal(told[2], 1);
      assert.deepEqual([...now], [scale, 0, skipped]);
    }
    // One is the least, and 2²⁴ the most.
    device.write(state, Float32Array.of(1, 1, 0));
    spoilt.compute(0.5);
    assert.deepEqual([...await state.read()], [1, 0, 1]);
    device.write(state, Float32Array.of(2 ** 24, 1, 0));
    norm.compute(0.5);
    assert.deepEqual([...await state.read()], [2 ** 24, 0, 0]);
  });

  Deno.test(`gradient norm, ${name}: gradients near nothing are not blown up`, async () => {
    using _scope = device.scope();
    // A norm of about 2e-6: here the 1e-6 beside it counts.
    const small = numbers(29, 1).map((v) => 6e-7 * v);
    const norm = normOf(device, [small]);
    norm.compute(1e-6);
    const [clip] = await device.read(norm.clip);
    const expected = reference([small], 1e-6);
    assertClose([...clip], [expected.norm, expected.factor, 0], { bound: 1e-6, label: "clip" });
  });

  Deno.test(`gradient norm, ${name}: one number that is not finite is told, and where it was`, async () => {
    for (const bad of [NaN, Infinity, -Infinity, 3e38]) {
      using _scope = device.scope();
      const poisoned = host[3].slice();
      poisoned[5712] = bad;
      const gradients = [...host.slice(0, 3), poisoned, ...host.slice(4)];
      const flats = gradients.map((data) => upload(device, data));
      const norm = createGradientNorm(flats.map((flat, i) => {
        return { flat, parts: [{ begin: 0, size: flat.size }], indices: [i] };
      }));
      norm.compute(1);
      const [clip, sums] = await device.read(norm.clip, norm.sums);
      assert.equal(clip[2], 1, `${bad}`);
      assert.deepEqual([...sums].map((v) => Number.isFinite(v)), [true, true, true, false, true]);
      // And the next step starts afresh.
      device.write(flats[3], host[3]);
      norm.compute(1);
      assert.equal((await norm.clip.read())[2], 0, `after ${bad}`);
    }
  });

  Deno.test(`gradient norm, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    await assertSameBytes(device, () => {
      const norm = normOf(device, host);
      norm.compute(1);
      return [norm.clip, norm.sums];
    });
  });
}
