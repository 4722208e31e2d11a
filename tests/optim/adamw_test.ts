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

/** The same memory as a parameter that is not frozen. */
const thawed = (p: Parameter): Parameter => new Parameter(p.name, p);

Deno.test("a frozen parameter has no moments and keeps its bytes", async () => {
  const all = parameters();
  all[1].frozen = true;
  const live = () => device.pool.memory.liveBytes;
  const before = live();
  const optimizer = new AdamW(all, options);
  const added = live() - before;
  new AdamW([all[0], all[2]], options);
  assert.equal(live() - before - added, added, "as if the frozen one were not there");
  new AdamW([all[0], all[1], all[2]].map((p, i) => i === 1 ? thawed(p) : p), options);
  assert.ok(live() - before - 2 * added > added, "free, it has moments");
  optimizer.step(0.02);
  assert.deepEqual(await all[1].read(), numbers(29, 1));
  assert.notDeepEqual(await all[0].read(), numbers(35, 0));
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
