/**
 * AdamW, several updates on end.
 *
 * @module
 */
import assert from "node:assert/strict";
import { adamw, type AdamWRates } from "../../src/kernels/adamw.ts";
import { assertClose, numbers } from "../compare.ts";
import { adamw as reference, type AdamWState } from "../reference/adamw.ts";
import { assertSameBytes } from "./checks.ts";
import { FOLDED, openDevices, repeated, upload } from "./devices.ts";

const SIZES = [1, 4, 33, 64, 29 * 197];
/** All but one are exact in f32; 1 - 0.999 is not, and must come from the host. */
const rates: Omit<AdamWRates, "step"> = {
  lr: 2 ** -7,
  beta1: 0.875,
  beta2: 0.999,
  epsilon: 2 ** -27,
  decay: 0.125,
};

for (const [name, device] of await openDevices()) {
  // A graphics processor's workgroups are larger: what folds there would take long to compute here.
  const sizes = name === "processor" ? [...SIZES, FOLDED] : SIZES;

  Deno.test(`adamw, ${name}: value and moments after each of three clipped updates`, async () => {
    for (const size of sizes) {
      using _scope = device.scope();
      const round = Math.min(size, 5713);
      const start = numbers(round, 1);
      let state: AdamWState = {
        value: Float64Array.from(start),
        m: new Float64Array(round),
        v: new Float64Array(round),
      };
      const value = upload(device, repeated(start, size));
      const [m, v] = [device.zeros([size]), device.zeros([size])];
      for (let step = 1; step <= 3; step++) {
        // Gradients of ordinary size: in 1e-3, where epsilon must not show.
        const gradient = numbers(round, 10 + step).map((g) => 1e-3 * g);
        const factor = [1, 0.375, 1][step - 1];
        const clip = upload(device, new Float32Array([0, factor, 0]));
        const ofAll = upload(device, repeated(gradient, size));
        adamw({ value, gradient: ofAll, m, v, clip }, { ...rates, step });
        state = reference(state, gradient, { ...rates, step, factor });
        const found = await device.read(value, m, v);
        const label = `size ${size}, step ${step}`;
        assertClose(found[0], repeated(state.value, size), {
          bound: 1e-6,
          label: `${label} value`,
        });
        assertClose(found[1], repeated(state.m, size), { bound: 1e-6, label: `${label} m` });
        assertClose(found[2], repeated(state.v, size), { bound: 1e-6, label: `${label} v` });
      }
    }
  });

  Deno.test(`adamw, ${name}: a norm that is not finite changes not a byte`, async () => {
    using _scope = device.scope();
    const start = [1, 2, 3].map((seed) => numbers(197, seed));
    const [value, m, v] = start.map((data) => upload(device, data));
    const gradient = upload(device, new Float32Array(197).fill(NaN));
    const clip = upload(device, new Float32Array([NaN, NaN, 1]));
    adamw({ value, gradient, m, v, clip }, { ...rates, step: 4 });
    const found = await device.read(value, m, v);
    found.forEach((data, i) => assert.deepEqual(data, start[i]));
  });

  Deno.test(`adamw, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const gradient = upload(device, numbers(5713, 2));
    const clip = upload(device, new Float32Array([1, 0.5, 0]));
    await assertSameBytes(device, () => {
      const value = upload(device, numbers(5713, 1));
      const [m, v] = [device.zeros([5713]), device.zeros([5713])];
      adamw({ value, gradient, m, v, clip }, { ...rates, step: 1 });
      return [value, m, v];
    });
  });
}
