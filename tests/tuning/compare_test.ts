/** What wins, and what may not take part. @module */

import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import { compare, confirm, ratioOf, takeTurns, typical } from "../../src/tuning/compare.ts";
import { fakeCall } from "./calls.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

Deno.test("the variant that is clearly faster wins, by the share of time that it takes", async () => {
  const call = fakeCall("copy", { shipped: { times: 8 }, half: { times: 4 }, once: { times: 1 } });
  const { winner, ratio, milliseconds, wrong } = await compare(device, call);
  assert.equal(winner, "once");
  assert.ok(ratio > 0 && ratio < 0.6, `${ratio}`);
  assert.ok(milliseconds.once < milliseconds.half && milliseconds.half < milliseconds.shipped);
  assert.deepEqual(wrong, {});
});

Deno.test("what is as fast, or slower, does not replace what ships; what is far slower is given up", async () => {
  const call = fakeCall("copy", { shipped: { times: 2 }, twin: { times: 2 }, slow: { times: 12 } });
  const { winner, ratio } = await compare(device, call);
  assert.deepEqual([winner, ratio], ["shipped", 1]);
  // The check, five rounds of a first look, and twenty-four of a second for what is worth it.
  assert.ok(call.counts.twin >= 30, `${call.counts.twin}`);
  assert.equal(call.counts.slow, 6);
});

Deno.test("a winner that is no faster when it is asked again does not replace what ships", async () => {
  const variants = { shipped: { times: 4 }, lucky: { times: 1 }, fast: { times: 1 } };
  const call = fakeCall("copy", variants);
  const found = await compare(device, call);
  const [lucky, fast] = ["lucky", "fast"].map((winner) => ({ ...found, winner, ratio: 0.3 }));
  variants.lucky.times = 4;
  const dropped = await confirm(device, call, lucky);
  assert.deepEqual([dropped.winner, dropped.ratio], ["shipped", 1]);
  const kept = await confirm(device, call, fast);
  assert.equal(kept.winner, "fast");
  assert.ok(kept.ratio >= 0.3 && kept.ratio < 0.6, `${kept.ratio}`);
  const unasked = { ...call.counts };
  const shipped = { ...found, winner: "shipped", ratio: 1 };
  assert.equal(await confirm(device, call, shipped), shipped);
  assert.deepEqual(call.counts, unasked);
});

Deno.test("a variant that is wrong in one number of 203,107 is dropped, however fast it is", async () => {
  for (const [off, bound] of [[2, 1], [NaN, Infinity]]) {
    const call = fakeCall("copy", {
      shipped: { times: 8 },
      wrong: { times: 1, off },
      right: { times: 2 },
    });
    const { winner, wrong, milliseconds } = await compare(device, call);
    assert.equal(winner, "right");
    assert.deepEqual(Object.keys(wrong), ["wrong"]);
    assert.ok(wrong.wrong >= bound, `${wrong.wrong}`);
    assert.ok(!("wrong" in milliseconds));
  }
});

Deno.test("after the deadline nothing more is compiled, and what ships stays", async () => {
  const call = fakeCall("copy", { shipped: { times: 8 }, once: { times: 1 } });
  const { winner } = await compare(device, call, { deadline: performance.now() - 1 });
  assert.equal(winner, "shipped");
  assert.equal(call.counts.once, undefined);
});

Deno.test("variants take turns; without timestamps each turn is waited for", async () => {
  using _scope = device.scope();
  const order: string[] = [];
  const trial = { outputs: [], run: (variant: string) => void order.push(variant) };
  const times = await takeTurns(device, trial, ["a", "b", "c"], 4);
  assert.deepEqual(order, [..."abc", ..."bca", ..."cab", ..."abc"]);
  assert.deepEqual(times, { a: [0, 0, 0, 0], b: [0, 0, 0, 0], c: [0, 0, 0, 0] });
  const features = Object.getOwnPropertyDescriptor(device.raw, "features");
  Object.defineProperty(device.raw, "features", { value: new Set(), configurable: true });
  try {
    const call = fakeCall("copy", { shipped: { times: 64 }, once: { times: 1 } });
    const { winner } = await compare(device, call);
    assert.equal(winner, "once");
    assert.equal(device.commands.profiler, undefined);
  } finally {
    if (features) Object.defineProperty(device.raw, "features", features);
    else delete (device.raw as { features?: unknown }).features;
  }
});

Deno.test("neither a lucky round nor a disturbed one decides", () => {
  assert.equal(typical([9, 1, 3, 2]), 2);
  assert.equal(typical([5]), 5);
  const shipped = [4, 4, 4, 4, 4, 4, 4, 4];
  assert.equal(ratioOf([2, 2, 2, 2, 2, 2, 2, 2], shipped), 0.5);
  // Two lucky rounds of eight are less than a quarter and half.
  assert.equal(ratioOf([1, 1, 4, 4, 4, 4, 4, 4], shipped), 1);
  assert.equal(ratioOf([1, 1, 1, 4, 4, 4, 4, 4], shipped), 1);
  // Disturbed in three rounds, and as fast as it is in the others.
  assert.equal(ratioOf([2, 2, 2, 2, 2, 90, 90, 90], shipped), 0.5);
  assert.equal(ratioOf(shipped, [4, 4, 4, 4, 90, 90, 90, 90]), 1);
});
