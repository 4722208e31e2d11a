/** What a start measures, what it remembers, and what it goes by afterwards. @module */

import assert from "node:assert/strict";
import { type Device, openDevice } from "../../src/gpu/device.ts";
import type { Tunable } from "../../src/gpu/variants.ts";
import { classOf, matmul } from "../../src/kernels/matmul.ts";
import { type Machine, machineOf, TuningCache } from "../../src/tuning/cache.ts";
import { tune, type TuneOptions, useKnown } from "../../src/tuning/tune.ts";
import { fakeCall } from "./calls.ts";

const device = await openDevice();
const root = Deno.makeTempDirSync();
Deno.test.afterAll(() => {
  device.destroy();
  Deno.removeSync(root, { recursive: true });
});

let folders = 0;
function folder(): string {
  const path = `${root}/${folders++}`;
  Deno.mkdirSync(path);
  return path;
}
const cacheIn = (path: string, machine: Machine = machineOf(device)) => {
  const warnings: string[] = [];
  return { cache: new TuningCache(path, machine, (w) => warnings.push(w)), warnings };
};
const FAST = { shipped: { times: 8 }, once: { times: 1 } };
/** Meets the classes of these calls, as kernels do. */
const meet = (device: Device, ...calls: { key: string; call: Tunable }[]) =>
  calls.map(({ key, call }) => device.variants.choose(key, "shipped", () => call));

Deno.test("a first start measures, a second nothing, and both go by the winners", async () => {
  const path = folder();
  const [a, b] = [
    fakeCall("a", FAST),
    fakeCall("b", { shipped: { times: 1 }, slow: { times: 9 } }),
  ];
  const lone = fakeCall("lone", { shipped: { times: 1 } });
  const told: string[] = [];
  const start = (options: Partial<TuneOptions> = {}) =>
    tune(device, () => void meet(device, a, b, lone), {
      cache: cacheIn(path).cache,
      onCompared: (key) => told.push(key),
      ...options,
    });
  assert.equal(await start(), 2);
  assert.deepEqual(told.toSorted(), ["a", "b"]);
  assert.deepEqual(meet(device, a, b, lone), ["once", "shipped", "shipped"]);
  assert.deepEqual(device.variants.chosen, { a: "once", b: "shipped" });
  const runs = { ...a.counts };
  device.variants.use({});
  assert.equal(await start(), 0);
  assert.deepEqual(a.counts, runs);
  assert.deepEqual(meet(device, a, b), ["once", "shipped"]);
  assert.equal(await start({ again: true }), 2);
});

Deno.test("winners of what was not rehearsed are not used, unless all that is known is asked for", async () => {
  const { cache } = cacheIn(folder());
  cache.add({ a: { variant: "once", ratio: 0.5 }, b: { variant: "once", ratio: 0.5 } });
  const [a, b] = [fakeCall("a", FAST), fakeCall("b", FAST)];
  assert.equal(await tune(device, () => void meet(device, a), { cache }), 0);
  assert.deepEqual(meet(device, a, b), ["once", "shipped"]);
  useKnown(device, cache);
  assert.deepEqual(meet(device, a, b), ["once", "once"]);
});

Deno.test("where time is up, what ships is kept and not measured again until somebody asks", async () => {
  const path = folder();
  const call = fakeCall("a", FAST);
  const start = (options: Partial<TuneOptions>) =>
    tune(device, () => void meet(device, call), { cache: cacheIn(path).cache, ...options });
  assert.equal(await start({ seconds: 0 }), 0);
  assert.deepEqual(call.counts, {});
  assert.equal(await start({}), 0);
  assert.deepEqual(meet(device, call), ["shipped"]);
  assert.equal(await start({ finish: true }), 1);
  assert.deepEqual(meet(device, call), ["once"]);
});

Deno.test("a variant that computes wrong is told of, by its class, and not used", async () => {
  const call = fakeCall("copy 256", { shipped: { times: 8 }, bad: { times: 1, off: 1 } });
  const warnings: string[] = [];
  await tune(device, () => void meet(device, call), {
    cache: cacheIn(folder()).cache,
    onWarning: (warning) => warnings.push(warning),
  });
  assert.deepEqual(meet(device, call), ["shipped"]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /^variant bad of copy 256 is wrong on this adapter \(by [\d.]+ of its/);
});

Deno.test("a damaged file is told of, costs nothing but its contents, and is written anew", () => {
  const path = folder();
  const { cache } = cacheIn(path);
  cache.add({ a: { variant: "once", ratio: 0.5 } });
  const good = Deno.readTextFileSync(cache.path);
  const other = JSON.stringify({ machine: { ...machineOf(device), deno: "1" }, winners: {} });
  const damaged = [
    "",
    good.slice(0, -9),
    "null",
    "[]",
    '{"winners":{}}',
    good.replace('"once"', "197"),
    good.replace("0.5", "-1"),
    good.replace(/\{\s*"variant"[^}]*\}/, "null"),
    other,
  ];
  for (const text of damaged) {
    Deno.writeTextFileSync(cache.path, text);
    const { cache: again, warnings } = cacheIn(path);
    assert.deepEqual([...again.winners], [], text);
    assert.deepEqual(warnings, [`${cache.path} is damaged and will be written anew`], text);
    again.add({ b: { variant: "twice", ratio: 1 } });
    const { cache: mended, warnings: none } = cacheIn(path);
    assert.deepEqual([[...mended.winners], none], [[["b", { variant: "twice", ratio: 1 }]], []]);
  }
});

Deno.test("each adapter, driver and release has a file of its own", () => {
  const path = folder();
  const machine = machineOf(device);
  cacheIn(path, machine).cache.add({ a: { variant: "once", ratio: 0.5 } });
  assert.equal(cacheIn(path).cache.get("a")?.variant, "once");
  assert.equal(machine.adapter, device.description);
  assert.equal(machine.deno, Deno.version.deno);
  const others: Machine[] = [
    { ...machine, adapter: "an adapter that nobody knows" },
    { ...machine, info: { ...machine.info, device: "1" } },
    { ...machine, abilities: "another driver" },
    { ...machine, threads: 197 },
    { ...machine, deno: "99.0.0" },
    { ...machine, vitrail: "99.0.0" },
  ];
  const paths = others.map((other) => {
    const { cache, warnings } = cacheIn(path, other);
    assert.deepEqual([cache.get("a"), warnings], [undefined, []]);
    return cache.path;
  });
  assert.equal(new Set(paths).size, others.length);
});

Deno.test("what two processes found is kept, and a folder that is gone harms nothing", () => {
  const path = folder();
  const [one, two] = [cacheIn(path), cacheIn(path)];
  one.cache.add({ a: { variant: "once", ratio: 0.5 } });
  two.cache.add({ b: { variant: "twice", ratio: 0.9 } });
  assert.deepEqual([...cacheIn(path).cache.winners.keys()], ["a", "b"]);
  const { cache, warnings } = cacheIn(`${path}/gone`);
  cache.add({ a: { variant: "once", ratio: 0.5 } });
  assert.equal(cache.get("a")?.variant, "once");
  assert.match(warnings[0], /^what was measured is not remembered: Cannot write .*gone/);
});

Deno.test("products share a class up to the next power of two, if they lie and add alike", () => {
  const call = { transposeA: false, transposeB: true, accumulate: false, hasBias: false };
  const key = classOf({ ...call, m: 768, n: 384, k: 128 });
  assert.equal(key, "matmul 1024x512x128 b-transposed");
  assert.equal(classOf({ ...call, m: 516, n: 260, k: 100 }), key);
  const others = [
    { ...call, m: 512, n: 384, k: 128 },
    { ...call, m: 768, n: 516, k: 128 },
    { ...call, m: 768, n: 384, k: 132 },
    { ...call, m: 768, n: 383, k: 128 },
    { ...call, m: 768, n: 384, k: 127 },
    { ...call, m: 768, n: 384, k: 128, transposeA: true },
    { ...call, m: 768, n: 384, k: 128, transposeB: false },
    { ...call, m: 768, n: 384, k: 128, accumulate: true },
    { ...call, m: 768, n: 384, k: 128, hasBias: true },
    { ...call, m: 768, n: 384, k: 128, gelu: "erf" as const },
    { ...call, m: 768, n: 384, k: 128, gelu: "tanh" as const },
    { ...call, m: 768, n: 384, k: 128, gelu: "tanh" as const, hasBefore: true },
  ].map(classOf);
  // A ragged edge is a class of its own, whichever edge it is.
  assert.equal(new Set([key, ...others]).size, others.length);
});

Deno.test("a choice that no product of its kind can use falls back to what ships", async () => {
  using _scope = device.scope();
  const [a, b] = [
    device.upload(new Float32Array([1, 2, 3, 4, 5, 6]), [3, 2]),
    device.zeros([3, 5]),
  ];
  const call = { transposeA: true, transposeB: false, accumulate: false, hasBias: false };
  for (const choice of ["row", "of another release", "__proto__"]) {
    device.variants.use({ [classOf({ ...call, m: 2, n: 5, k: 3 })]: choice });
    const out = await matmul(a, b, { transposeA: true }).read();
    assert.deepEqual([...out], new Array(10).fill(0), choice);
  }
  device.variants.use({});
});

Deno.test("a table takes notes only while it is told to, each class once, the dearest first", async () => {
  using _scope = device.scope();
  const product = (m: number, n: number) => matmul(device.zeros([m, 8]), device.zeros([8, n]));
  product(64, 64);
  const noted = await device.variants.note(() => {
    product(20, 20);
    product(60, 60);
    product(62, 60);
  });
  product(128, 128);
  assert.deepEqual(noted.map(({ key, count }) => [key, count]), [
    ["matmul 64x64x8", 2],
    ["matmul 32x32x8", 1],
  ]);
  await assert.rejects(device.variants.note(() => Promise.reject(new Error("no"))), /^Error: no$/);
  product(256, 256);
});
