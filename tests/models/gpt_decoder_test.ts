/**
 * A decoder's logits, place by place, against whole forward passes of the same model.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  addLora,
  createGptConfig,
  freshWeights,
  Gpt,
  type GptConfig,
  openDevice,
  type Parameter,
  Run,
} from "../../mod.ts";
import { assertClose, numbers } from "../compare.ts";

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

Deno.test("adaptations are merged, and the model itself is left alone", async () => {
  const model = make({ channels: 24 });
  const adapter = addLora(model, { rank: 3, alpha: 6, targets: ["c_attn", "c_fc"], seed: 1 });
  adapter.parameters.forEach((p, i) => device.write(p, numbers(p.size, 10 + i)));
  const weights = await (model.linears[0].weight as Parameter).read();
  await check(model, 2, "adapted");
  assert.deepEqual(await (model.linears[0].weight as Parameter).read(), weights);
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
