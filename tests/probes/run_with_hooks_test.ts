import assert from "node:assert/strict";
import {
  Bert,
  createBertConfig,
  createGptConfig,
  Gpt,
  openDevice,
  VitrailError,
} from "../../mod.ts";
import { ActivationCache } from "../../src/probes/activation_cache.ts";
import { logitDifference } from "../../src/probes/metrics.ts";
import { runWithCache, runWithGradients, runWithHooks } from "../../src/probes/run_with_hooks.ts";
import { hookPoints } from "../../src/models/hook_points.ts";
import { assertClose } from "../compare.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const size = { vocabularySize: 197, contextLength: 29, channels: 24, layers: 2, heads: 2 };
const models = {
  GPT: new Gpt(device, createGptConfig(size)),
  BERT: new Bert(device, createBertConfig(size), {
    heads: { kind: "masked-language" },
  }),
};
const B = 3;
const T = 29;
const sequence = (seed: number) =>
  Uint32Array.from({ length: B * T }, (_, i) => (i * 31 + seed * 57 + (i * i * seed) % 13) % 197);

for (const [family, model] of Object.entries(models)) {
  const clean = { ids: model.ids(sequence(1), [B, T]) };
  const corrupted = { ids: model.ids(sequence(2), [B, T]) };
  const metric = logitDifference({ right: 5, wrong: 190 });

  // Where something looks inside attention or a norm, kernels in parts take the place of fused ones:
  // the same sums in another order.
  const looksInside = (name: string): boolean =>
    /attn\.hook_(attn_scores|pattern)|hook_(scale|normalized)/.test(name);

  Deno.test(`${family}: hooks that only look change no bit of the logits`, async () => {
    const names = hookPoints(model).filter((name) => !looksInside(name));
    const { logits, cache } = runWithCache(model, clean, { names });
    using _cache = cache;
    const plain = runWithHooks(model, clean, { hooks: [] });
    const [want, got] = [await plain.read(), await logits.read()] as Float32Array[];
    assert.equal(got.findIndex((value, i) => value !== want[i]), -1);
  });

  Deno.test(`${family}: hooks inside attention and norms change nothing but roundings`, async () => {
    const { logits, cache } = runWithCache(model, clean, { names: looksInside });
    using _cache = cache;
    const plain = runWithHooks(model, clean, { hooks: [] });
    const [want, got] = [await plain.read(), await logits.read()] as Float32Array[];
    assertClose(got, want, { bound: 1e-5, label: "logits" });
  });

  Deno.test(`${family}: activations put back into a corrupted run restore the clean one, exactly`, async () => {
    const { logits, cache } = runWithCache(model, clean);
    using _cache = cache;
    const patched = runWithHooks(model, corrupted, {
      hooks: [[() => true, (_, name) => cache.get(name)]],
    });
    const [want, got] = [await logits.read(), await patched.read()] as Float32Array[];
    assert.deepEqual(got, want);
    const shape = logits.shape;
    assert.deepEqual(metric.values({ data: got, shape }), metric.values({ data: want, shape }));
    const other = runWithHooks(model, corrupted, { hooks: [] });
    assert.notDeepEqual(await other.read(), want);
  });

  Deno.test(`${family}: a cache holds what was asked for, and gives its memory back`, async () => {
    const before = device.pool.memory.liveBytes;
    {
      const { cache, logits } = runWithCache(model, clean, { names: "blocks.*.attn.hook_pattern" });
      assert.deepEqual(cache.names, [0, 1].map((i) => `blocks.${i}.attn.hook_pattern`));
      const patterns = await cache.read();
      for (const { data } of patterns.values()) {
        for (let row = 0; row < data.length; row += T) {
          const sum = data.subarray(row, row + T).reduce((a, b) => a + b, 0);
          assert.ok(Math.abs(sum - 1) < 1e-5, `${sum}`);
        }
      }
      assert.throws(() => cache.get("hook_embed"), VitrailError);
      cache[Symbol.dispose]();
      device.pool.release(logits.buffer);
    }
    assert.equal(device.pool.memory.liveBytes, before);
  });

  Deno.test(`${family}: gradients at hook points are the slopes of the metric there`, async () => {
    const names = ["blocks.0.hook_mlp_out", "blocks.1.attn.hook_z"];
    const found = await runWithGradients(model, clean, { names, metric });
    using cache = found.cache;
    using gradients = found.gradients;
    const [acts, slopes] = [await cache.read(), await gradients.read()];
    for (const name of names) {
      const { data, shape } = acts.get(name)!;
      // One direction for each sequence: their metrics do not touch one another.
      const direction = Float32Array.from(data, (_, i) => Math.sin(i * 1.7));
      const shifted = async (by: number) => {
        const x = device.upload(data.map((v, i) => v + by * direction[i]), shape);
        const logits = runWithHooks(model, clean, { hooks: [[name, () => x]] });
        const read = await logits.read() as Float32Array;
        return metric.values({ data: read, shape: logits.shape });
      };
      // Two central differences, so that the curve's third derivative cancels out (Richardson).
      const [up, down, far, near] = [
        await shifted(1 / 2048),
        await shifted(-1 / 2048),
        await shifted(1 / 1024),
        await shifted(-1 / 1024),
      ];
      const each = data.length / B;
      const slope = slopes.get(name)!.data;
      for (let b = 0; b < B; b++) {
        const want = (4 * (up[b] - down[b]) * 1024 - (far[b] - near[b]) * 512) / 3;
        let got = 0;
        for (let i = b * each; i < (b + 1) * each; i++) got += slope[i] * direction[i];
        assert.ok(
          Math.abs(want - got) < 1e-3 * Math.abs(want) + 3e-4,
          `${name}: ${got}, ${want}`,
        );
        assert.ok(Math.abs(want) > 1e-4, "a slope that says nothing");
      }
    }
  });

  Deno.test(`${family}: a name that meets no hook point is an error that names some`, () => {
    assert.throws(
      () => runWithHooks(model, clean, { hooks: [["blocks.9.hook_mlp_out", (x) => x]] }),
      /Cannot find the hook point blocks\.9\.hook_mlp_out: this model has \d+, such as/,
    );
  });
}

Deno.test("a cache keeps the last of what is set under a name", async () => {
  using cache = new ActivationCache(device);
  cache.set("x", device.upload(Float32Array.of(1, 2)));
  cache.set("x", device.upload(Float32Array.of(3)));
  assert.deepEqual([...(await cache.read("x")).get("x")!.data], [3]);
});
