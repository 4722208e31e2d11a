/** A generation takes of the device and of the host's memory what the one before gave back. @module */

import assert from "node:assert/strict";
import {
  createGptConfig,
  generate,
  Gpt,
  headScores,
  logit,
  logitLens,
  openDevice,
  runWithCache,
  runWithGradients,
} from "../mod.ts";
import { ghostOf } from "../src/gpu/ghost.ts";

const size = { vocabularySize: 50, contextLength: 64, channels: 32, layers: 2, heads: 2 };
type Made = Record<"createBindGroup" | "createTexture" | "createBuffer", number>;

/** Counts what a device is asked to make; read-backs, which are destroyed at once, are left out. */
function count(raw: GPUDevice): Made {
  const made: Made = { createBindGroup: 0, createTexture: 0, createBuffer: 0 };
  const asked = raw as unknown as Record<string, (descriptor: { label?: string }) => unknown>;
  for (const name of Object.keys(made) as (keyof Made)[]) {
    const make = asked[name].bind(raw);
    asked[name] = (descriptor) => {
      if (descriptor.label !== "read-back") made[name]++;
      return make(descriptor);
    };
  }
  return made;
}

Deno.test("two hundred generations make no bind group, texture or buffer after the first few", async () => {
  const opened = await openDevice();
  const device = ghostOf(opened);
  opened.destroy();
  const made = count(device.raw);
  using model = new Gpt(device, createGptConfig(size));
  const call = (seed: number): Promise<number[][]> =>
    generate(model, [1, 2, 3], { maxNewTokens: 20, chunk: 4, seed, samples: 1 + seed % 2 });
  for (let i = 0; i < 8; i++) await call(i);
  const [warm, memory] = [{ ...made }, device.pool.memory];
  assert.ok(warm.createBindGroup > 20 && warm.createTexture > 5, "there was something to make");
  for (let i = 0; i < 200; i++) await call(i);
  assert.deepEqual(made, warm);
  assert.deepEqual(device.pool.memory, memory);
  assert.equal(device.textures.ownCount, 0);
});

Deno.test("calls of probes find the buffers and bind groups of those before, in any order of release", async () => {
  const opened = await openDevice();
  const device = ghostOf(opened);
  opened.destroy();
  const made = count(device.raw);
  using model = new Gpt(device, createGptConfig(size));
  const input = { ids: model.ids([1, 2, 3, 4]) };
  const calls = [
    async () => {
      const { cache, gradients } = await runWithGradients(model, input, { metric: logit(3) });
      using _gradients = gradients;
      using _cache = cache;
    },
    () => {
      using _scope = device.scope();
      using _cache = runWithCache(model, input).cache;
    },
    () => logitLens(model, input),
    () => headScores(model, input),
  ];
  for (const call of calls) {
    for (let i = 0; i < 2; i++) await call();
    const warm = { ...made };
    for (let i = 0; i < 25; i++) await call();
    assert.deepEqual(made, warm);
  }
});

Deno.test("a cache that another generation filled with NaN changes nothing", async () => {
  const device = await openDevice();
  const config = createGptConfig(size);
  using model = new Gpt(device, config);
  using broken = new Gpt(
    device,
    config,
    (_name, shape) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(NaN),
  );
  const call = (of: Gpt): Promise<number[][]> =>
    generate(of, [1, 2, 3], { maxNewTokens: 9, temperature: 0 });
  const alone = await call(model);
  const textures = device.textures.waitingCount;
  await call(broken).catch(() => {});
  assert.deepEqual(await call(model), alone);
  assert.equal(device.textures.waitingCount, textures, "the same textures, all of them");
  assert.ok(textures > 0);
  device.destroy();
});
