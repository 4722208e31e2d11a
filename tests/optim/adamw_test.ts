/**
 * The optimizer: rates by parameter, and frozen parameters, which it neither keeps state for nor moves.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Parameter } from "../../src/autograd/parameter.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { assertClose, numbers } from "../compare.ts";
import { adamw as reference, type AdamWState } from "../reference/adamw.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const options = {
  betas: [0.9, 0.95] as [number, number],
  epsilon: 1e-8,
  weightDecay: 0.1,
  clip: 0,
};

function parameters(): Parameter[] {
  return [[5, 7], [29], [3, 11]].map((shape, i) => {
    const size = shape.reduce((a, b) => a * b);
    const p = new Parameter(`p${i}`, device.upload(numbers(size, i), shape));
    device.write(p.gradient, numbers(size, 10 + i));
    return p;
  });
}

Deno.test("each parameter moves at its own rate, and decays at it", async () => {
  const [all, factors] = [parameters(), [1, 0.25, 0]];
  const optimizer = new AdamW(all, { ...options, rateOf: (p) => factors[all.indexOf(p)] });
  for (let step = 0; step < 3; step++) optimizer.step(0.02);
  for (const [i, p] of all.entries()) {
    const value = Float64Array.from(numbers(p.size, i));
    let state: AdamWState = { value, m: new Float64Array(p.size), v: new Float64Array(p.size) };
    const rates = { lr: 0.02 * factors[i], beta1: 0.9, beta2: 0.95, epsilon: 1e-8 };
    const decay = p.shape.length > 1 ? 0.1 : 0;
    for (let step = 1; step <= 3; step++) {
      state = reference(state, numbers(p.size, 10 + i), { ...rates, decay, step, factor: 1 });
    }
    const found = await p.read();
    assertClose(found, state.value, { bound: 2e-7, label: p.name });
    // A rate of zero is no rate of one that rounds away.
    if (factors[i] === 0) assert.deepEqual(found, numbers(p.size, i));
    else assert.notDeepEqual(found, numbers(p.size, i));
  }
});

Deno.test("a frozen parameter has no moments and keeps its bytes", async () => {
  const all = parameters();
  all[1].frozen = true;
  const { liveBuffers } = device.pool.memory;
  const optimizer = new AdamW(all, options);
  // One group of four flat buffers in place of two values and two gradients; and those of the norm.
  assert.equal(device.pool.memory.liveBuffers - liveBuffers, 6);
  assert.deepEqual(optimizer.parameters, [all[0], all[2]]);
  assert.deepEqual(optimizer.moments.map(({ m }) => m.shape), [[5, 7], [3, 11]]);
  optimizer.step(0.02);
  assert.deepEqual(await all[1].read(), numbers(29, 1));
  assert.notDeepEqual(await all[0].read(), numbers(35, 0));
});

Deno.test("parameters move with their gradients, and leave nothing behind", async () => {
  const all = parameters();
  new AdamW(all, options);
  const read = () => device.read(...all, ...all.map((p) => p.gradient));
  const expected = [[0, 35], [1, 29], [2, 33], [10, 35], [11, 29], [12, 33]]
    .map(([seed, size]) => numbers(size, seed));
  assert.deepEqual(await read(), expected);
  // A second optimizer takes them over; the flat buffers of the first go back.
  const { liveBuffers } = device.pool.memory;
  const second = new AdamW(all, { ...options, rateOf: (p) => p === all[0] ? 1 : 0.5 });
  // Three groups of four flat buffers where there were two; the norm's tables are the same in number,
  // but for two of the third group. What the first norm holds stays with it.
  assert.equal(device.pool.memory.liveBuffers - liveBuffers, 4 + 4 + 2 * 3);
  assert.deepEqual(await read(), expected);
  second.clearGradients();
  const gradients = await device.read(...all.map((p) => p.gradient));
  assert.deepEqual(gradients, all.map((p) => new Float32Array(p.size)));
});

Deno.test("an update is of few dispatches, whatever the number of parameters", () => {
  const all = Array.from(
    { length: 40 },
    (_, i) => new Parameter(`p${i}`, device.upload(numbers(12, i), i % 2 ? [12] : [3, 4])),
  );
  const optimizer = new AdamW(all, options);
  const before = device.commands.dispatches;
  optimizer.step(0.02);
  // Two groups, with and without decay: sums of squares and updates, and two dispatches for the norm.
  assert.equal(device.commands.dispatches - before, 6);
});

Deno.test("nothing to train, and a rate that is none, are told", () => {
  const all = parameters();
  assert.throws(() => new AdamW(all, { rateOf: (p) => p === all[1] ? -1 : 1 }), {
    name: "VitrailError",
    message: "Cannot train p1 at -1 times the learning rate: wanted 0 or more",
  });
  assert.throws(() => new AdamW(all, { rateOf: () => NaN }), /Cannot train p0 at NaN times/);
  for (const p of all) p.frozen = true;
  assert.throws(() => new AdamW(all), {
    name: "VitrailError",
    message: "Cannot train: all of 3 parameters are frozen; leave at least one free",
  });
});
