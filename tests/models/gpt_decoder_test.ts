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

Deno.test("prompts of different lengths go on side by side as each does alone", async () => {
  using _scope = device.scope();
  const lengths = [PROMPT, 1, 17, PROMPT - 1];
  const [sources, batch] = [lengths.length, 2 * lengths.length];
  for (const config of [{}, { positions: "none" }, { positions: "sinusoidal" }] as const) {
    const model = make({ channels: 24 }, config);
    const run = new Run(device);
    const prompts = lengths.map((length, s) => ids(length, 20 + s));
    const next = ids(batch * NEW, 2); // (B, NEW)
    const padded = prompts.flatMap((own) => [...own, ...ids(PROMPT - own.length, 99)]);
    // Two sequences go on from each prompt: b and b + sources.
    using decoder = model.decoder({ batch, capacity: PROMPT + NEW });
    const hidden = await decoder.prefill(run, model.ids(padded, [sources, PROMPT]), { lengths })
      .read();
    const C = model.config.channels;
    for (const [s, own] of prompts.entries()) {
      const wanted = await model.hidden(run, model.ids(own)).read();
      const found = hidden.subarray(s * PROMPT * C, (s * PROMPT + own.length) * C);
      assertClose(found, wanted, { bound: 1e-5, label: `prompt ${s}` });
    }
    const found: Float32Array[] = [];
    for (let place = 0; place < NEW; place++) {
      const column = Array.from({ length: batch }, (_, b) => next[b * NEW + place]);
      found.push(await decoder.step(model.ids(column, [batch, 1])).read() as Float32Array);
    }
    for (let b = 0; b < batch; b++) {
      const whole = [...prompts[b % sources], ...next.slice(b * NEW, (b + 1) * NEW)];
      const expected = await model.forward(run, model.ids(whole)).read();
      for (let place = 0; place < NEW; place++) {
        const at = (lengths[b % sources] + place) * V;
        assertClose(found[place].subarray(b * V, (b + 1) * V), expected.subarray(at, at + V), {
          bound: 1e-5,
          label: `${JSON.stringify(config)}, sequence ${b}, place ${place}`,
        });
      }
    }
  }
});

Deno.test("lengths that are none are refused", () => {
  using _scope = device.scope();
  const model = make({ channels: 24 });
  using decoder = model.decoder({ batch: 2, capacity: 9 });
  for (const wrong of [0, 4, 1.5, NaN]) {
    assert.throws(
      () =>
        decoder.prefill(new Run(device), model.ids([1, 2, 3, 4, 5, 6], [2, 3]), {
          lengths: [3, wrong],
        }),
      {
        name: "VitrailError",
        message: `Cannot take in prompt 1: its length is ${wrong}, wanted 1 to 3`,
      },
    );
  }
});

Deno.test("sequences go on from one another's places, as beams do", async () => {
  using _scope = device.scope();
  const model = make({ channels: 24 });
  const [batch, capacity] = [3, 4 * Math.ceil((PROMPT + NEW) / 4)];
  const prompt = ids(PROMPT, 1);
  using decoder = model.decoder({ batch, capacity });
  decoder.prefill(new Run(device), model.ids(prompt));
  // Who each sequence goes on from, place by place.
  const parents = [[0, 1, 2], [2, 2, 0], [1, 0, 0], [2, 1, 2], [0, 0, 0]];
  let whole = Array.from({ length: batch }, () => [...prompt]);
  let rows = Array.from({ length: batch }, (_, b) => new Array<number>(PROMPT).fill(b));
  for (const [place, from] of parents.entries()) {
    const next = ids(batch, 50 + place);
    whole = from.map((parent, b) => [...whole[parent], next[b]]);
    rows = from.map((parent) => rows[parent]);
    // Behind the places that are filled a row may hold anything.
    const table = rows.flatMap((own) => [...own, ...new Array(capacity - own.length).fill(9999)]);
    const found = await decoder.step(model.ids(next, [batch, 1]), {
      rows: device.upload(Uint32Array.from(table), [batch, capacity]),
    }).read();
    rows = rows.map((own, b) => [...own, b]);
    const expected = await model.forward(
      new Run(device),
      model.ids(whole.flat(), [batch, whole[0].length]),
    ).read();
    for (let b = 0; b < batch; b++) {
      const at = ((b + 1) * whole[0].length - 1) * V;
      assertClose(found.subarray(b * V, (b + 1) * V), expected.subarray(at, at + V), {
        bound: 1e-5,
        label: `place ${place}, sequence ${b}`,
      });
    }
  }
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
