/**
 * A decoder's logits, place by place, against whole forward passes of the same model.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  addLora,
  type CacheFormat,
  createGptConfig,
  freshWeights,
  generate,
  Gpt,
  type GptConfig,
  openDevice,
  type Parameter,
  quantizeGpt,
  Run,
} from "../../mod.ts";
import { assertClose, numbers, relativeError } from "../compare.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const [V, PROMPT, NEW] = [197, 29, 5];
const base = { vocabularySize: V, contextLength: PROMPT + NEW, layers: 2, heads: 2 };
/** Wide weights, or all places would say nearly the same. */
const wide = { initializerRange: 0.3 };

function ids(count: number, seed: number): number[] {
  return Array.from(numbers(count, seed), (v) => Math.floor((v + 1) / 2 * V));
}

/** Fails unless a decoder says of each new place what a whole pass says. */
async function check(model: Gpt, batch: number, label: string): Promise<void> {
  using _scope = device.scope();
  const run = new Run(device);
  const prompt = ids(PROMPT, 1);
  const next = ids(batch * NEW, 2); // (B, NEW)
  const whole = Array.from({ length: batch }, (_, b) => {
    return [...prompt, ...next.slice(b * NEW, (b + 1) * NEW)];
  });
  const shape = [batch, PROMPT + NEW];
  const expected = await model.forward(run, model.ids(whole.flat(), shape)).read();
  using decoder = model.decoder({ batch, capacity: PROMPT + NEW });
  const hidden = await decoder.prefill(run, model.ids(prompt)).read();
  const wanted = await model.hidden(run, model.ids(prompt)).read();
  assertClose(hidden, wanted, { bound: 1e-6, label: `${label}, prompt` });
  for (let place = 0; place < NEW; place++) {
    const column = Array.from({ length: batch }, (_, b) => next[b * NEW + place]);
    const found = await decoder.step(model.ids(column, [batch, 1])).read();
    for (let b = 0; b < batch; b++) {
      const at = (b * (PROMPT + NEW) + PROMPT + place) * V;
      assertClose(found.subarray(b * V, (b + 1) * V), expected.subarray(at, at + V), {
        bound: 1e-5,
        label: `${label}, sequence ${b}, place ${place}`,
      });
    }
    assert.equal(decoder.length, PROMPT + place + 1);
  }
}

const make = (sizes: { channels: number }, config: Partial<GptConfig> = {}): Gpt =>
  new Gpt(device, createGptConfig({ ...base, ...sizes }, { ...wide, ...config }), freshWeights(3));

Deno.test("a decoder says what the model says, for one sequence and for several", async () => {
  const model = make({ channels: 24 });
  await check(model, 1, "one");
  await check(model, 3, "three");
  await check(model, 6, "six");
});

Deno.test("heads of six, and the other kinds of GELU, positions and head", async () => {
  const other: Partial<GptConfig> = {
    activation: "gelu",
    positions: "sinusoidal",
    tieWeights: false,
  };
  await check(make({ channels: 12 }, other), 2, "C 12");
});

Deno.test("an activation that is no GELU, and scores with factors of their own", async () => {
  const other: Partial<GptConfig> = {
    activation: "silu",
    scaleAttention: false,
    scaleAttentionByLayer: true,
  };
  await check(make({ channels: 24 }, other), 2, "silu");
});

/** Logits (B, NEW, V) of the places after a prompt, as a decoder with such a cache says them. */
async function decoded(model: Gpt, cache?: CacheFormat): Promise<Float32Array> {
  using _scope = device.scope();
  const batch = 3;
  const [prompt, next] = [ids(PROMPT, 1), ids(batch * NEW, 2)];
  using decoder = model.decoder({ batch, capacity: PROMPT + NEW, cache });
  decoder.prefill(new Run(device), model.ids(prompt));
  const found: number[] = [];
  for (let place = 0; place < NEW; place++) {
    const column = next.slice(place * batch, (place + 1) * batch);
    found.push(...await decoder.step(model.ids(column, [batch, 1])).read());
  }
  return Float32Array.from(found);
}

Deno.test("a cache in f16 moves the logits by little more than one rounding, and no more", async () => {
  const model = make({ channels: 24 });
  const [wide, half] = [await decoded(model, "f32"), await decoded(model, "f16")];
  assert.deepEqual(await decoded(model), wide, "f32 weights have an f32 cache");
  // Each layer adds errors of one rounding of its keys and of its values to the stream.
  const error = relativeError(half, wide);
  assert.ok(error > 2 ** -16 && error < base.layers * 2 * 2 ** -11, `relative error ${error}`);
});

Deno.test("weights in fewer bits have a cache in f16, and write what f32 writes", async () => {
  const model = make({ channels: 24 });
  for (const weights of ["f16", "int8", "int4"] as const) {
    const small = await quantizeGpt(model, { weights });
    const half = await decoded(small, "f16");
    assert.deepEqual(await decoded(small), half, weights);
    assert.ok(relativeError(half, await decoded(small, "f32")) > 2 ** -16, weights);
  }
  const halves = await quantizeGpt(model, { weights: "f16" });
  const options = { maxNewTokens: NEW, temperature: 0 };
  for (let seed = 1; seed <= 4; seed++) {
    const prompt = ids(PROMPT, seed);
    const expected = await generate(model, prompt, options);
    assert.deepEqual(await generate(halves, prompt, options), expected);
    assert.deepEqual(await generate(model, prompt, { ...options, cache: "f16" }), expected);
  }
});

Deno.test("adaptations are merged, and the model itself is left alone", async () => {
  const model = make({ channels: 24 });
  const adapter = addLora(model, { rank: 3, alpha: 6, targets: ["c_attn", "c_fc"], seed: 1 });
  adapter.parameters.forEach((p, i) => device.write(p, numbers(p.size, 10 + i)));
  const weights = await (model.linears[0].weight as Parameter).read();
  await check(model, 2, "adapted");
  assert.deepEqual(await (model.linears[0].weight as Parameter).read(), weights);
});

Deno.test("a decoder's keys and values take half the memory in f16", () => {
  const model = make({ channels: 24 });
  const bytes = (cache: CacheFormat): number => {
    using _scope = device.scope();
    const before = device.textures.bytes;
    using _decoder = model.decoder({ batch: 64, capacity: 340, cache });
    return device.textures.bytes - before;
  };
  // 2 layers, 64 sequences, 2 heads of three texels; what f16 saves is what it takes, two bytes a number.
  const texels = base.layers * 64 * 2 * 3 * 340;
  assert.equal(bytes("f32") - bytes("f16"), 2 * Math.ceil(texels / 2048) * 2048 * 4 * 2);
});

Deno.test("a second prompt is refused; textures and buffers go back", () => {
  const model = make({ channels: 24 });
  const before = [device.textures.bytes, device.pool.memory.liveBytes];
  {
    using _scope = device.scope();
    using decoder = model.decoder({ batch: 2, capacity: 9 });
    const prompt = model.ids([1, 2, 3]);
    decoder.prefill(new Run(device), prompt);
    assert.throws(() => decoder.prefill(new Run(device), prompt), {
      name: "VitrailError",
      message: "Cannot take in a prompt: 3 places are filled, wanted an empty decoder",
    });
  }
  assert.deepEqual([device.textures.bytes, device.pool.memory.liveBytes], before);
});
