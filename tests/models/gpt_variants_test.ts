/** What a GPT may be besides GPT-2: positions of other kinds, a head of its own, hooks that change it. @module */

import assert from "node:assert/strict";
import { createGptConfig, freshWeights, Gpt, openDevice, Run, type Tensor } from "../../mod.ts";
import { sinusoids } from "../../src/models/initialize.ts";
import { assertClose, relativeError } from "../compare.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, T, C] = [197, 29, 36];
const size = { vocabularySize: V, contextLength: T, channels: C, layers: 2, heads: 3 };
const ids = Array.from({ length: T }, (_, i) => (i * i + 3) % V);
const logitsOf = async (model: Gpt, run = new Run(device)) => {
  using _scope = device.scope();
  return await model.forward(run, model.ids(ids)).read() as Float32Array;
};

Deno.test("sinusoids are those of Vaswani et al., section 3.5", () => {
  const table = sinusoids(T, C);
  for (const [position, pair] of [[0, 0], [1, 0], [28, 0], [5, 7], [28, 17]]) {
    const angle = position / 10000 ** (2 * pair / C);
    const at = position * C + 2 * pair;
    assert.ok(Math.abs(table[at] - Math.sin(angle)) < 1e-6, `PE(${position}, ${2 * pair})`);
    assert.ok(Math.abs(table[at + 1] - Math.cos(angle)) < 1e-6, `PE(${position}, ${2 * pair + 1})`);
  }
});

Deno.test("fixed positions are a learned table that holds sinusoids and is not trained", async () => {
  const fresh = freshWeights(1);
  const fixed = new Gpt(device, createGptConfig(size, { positions: "sinusoidal" }), fresh);
  const learned = new Gpt(
    device,
    createGptConfig(size),
    (name, shape, initial) =>
      name === "transformer.wpe.weight" ? sinusoids(T, C) : fresh(name, shape, initial),
  );
  assertClose(await logitsOf(fixed), await logitsOf(learned), { bound: 1e-7, label: "logits" });
  assert.deepEqual(
    fixed.parameters.map((p) => p.name),
    learned.parameters.map((p) => p.name).filter((name) => name !== "transformer.wpe.weight"),
  );
});

Deno.test("without positions a model of one layer sees a set: order before the last changes nothing", async () => {
  const config = createGptConfig({ ...size, layers: 1 }, { positions: "none" });
  const model = new Gpt(device, config, freshWeights(1));
  const last = async (ids: number[]) => {
    using _scope = device.scope();
    return (await model.forward(new Run(device), model.ids(ids)).read()).slice(-V);
  };
  const [some, turned] = [[3, 50, 7, 196, 20], [196, 7, 3, 50, 20]];
  assertClose(await last(turned), await last(some), { bound: 1e-5, label: "logits" });
  assert.ok(relativeError(await last([3, 50, 7, 20, 196]), await last(some)) > 1e-2);
});

Deno.test("a head of its own is a parameter more and gets the only gradient of the head", async () => {
  const model = new Gpt(device, createGptConfig(size, { tieWeights: false }), freshWeights(1));
  const head = model.parameters.find((p) => p.name === "lm_head.weight")!;
  const token = model.parameters.find((p) => p.name === "transformer.wte.weight")!;
  using _scope = device.scope();
  const run = new Run(device, { record: true });
  const targets = device.upload(Int32Array.from(ids, (id) => (id + 1) % V), [1, T]);
  run.tape!.backward(model.loss(run, model.ids(ids), { targets }).result);
  const [dHead, dToken] = await device.read(head.gradient, token.gradient);
  // Every row of the head takes part in the softmax; a row of the table only if its id occurs.
  const rows = (d: ArrayLike<number>) =>
    Array.from({ length: V }, (_, v) => v)
      .filter((v) => Array.from({ length: C }, (_, c) => d[v * C + c]).some((x) => x !== 0));
  assert.equal(rows(dHead).length, V);
  assert.deepEqual(rows(dToken), [...new Set(ids)].sort((a, b) => a - b));
});

Deno.test("a hook sees its tensor, and what it returns takes its place", async () => {
  const model = new Gpt(device, createGptConfig(size), freshWeights(1));
  const plain = await logitsOf(model);
  const seen: Record<string, readonly number[]> = {};
  const look = new Map(
    ["hook_embed", "blocks.1.hook_resid_mid", "blocks.0.mlp.hook_post", "blocks.1.attn.hook_z"]
      .map((name) => [name, (x: Tensor, at: string) => void (seen[at] = x.shape)]),
  );
  assert.deepEqual(await logitsOf(model, new Run(device, { hooks: look })), plain);
  assert.deepEqual(seen, {
    "hook_embed": [1, T, C],
    "blocks.0.mlp.hook_post": [1, T, 4 * C],
    "blocks.1.attn.hook_z": [1, T, 3, C / 3],
    "blocks.1.hook_resid_mid": [1, T, C],
  });
  // What goes into block 1 taken from elsewhere: nothing before it matters any more.
  const other = device.upload(new Float32Array(T * C).map((_, i) => Math.sin(i)), [1, T, C]);
  const patch = new Map([["blocks.1.hook_resid_pre", () => other]]);
  const patched = await logitsOf(model, new Run(device, { hooks: patch }));
  assert.ok(relativeError(patched, plain) > 1e-2);
  const erased = new Map([
    ["blocks.1.hook_resid_pre", () => other],
    ["hook_embed", (x: Tensor) => device.zeros(x.shape)],
  ]);
  assert.deepEqual(await logitsOf(model, new Run(device, { hooks: erased })), patched);
  // And in the middle of a block, where the sum and its norm are one kernel when nobody listens.
  const middle = new Map([["blocks.1.hook_resid_mid", () => other]]);
  const replaced = await logitsOf(model, new Run(device, { hooks: middle }));
  assert.ok(relativeError(replaced, plain) > 1e-2);
  const both = new Map([...erased, ...middle]);
  assert.deepEqual(await logitsOf(model, new Run(device, { hooks: both })), replaced);
});

Deno.test("GELU by the error function and by tanh are two models", async () => {
  const [exact, approximate] = await Promise.all(
    (["gelu", "gelu_new"] as const).map((activation) =>
      logitsOf(new Gpt(device, createGptConfig(size, { activation }), freshWeights(1)))
    ),
  );
  const off = relativeError(exact, approximate);
  assert.ok(off > 1e-9 && off < 1e-2, `they differ by ${off}`);
});
