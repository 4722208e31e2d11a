/**
 * GPTs without MLPs: beside a whole GPT whose MLPs add nothing, through files, and in generation.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  createGptConfig,
  freshWeights,
  generate,
  Gpt,
  loadGpt,
  openDevice,
  openSafetensors,
  quantizeGpt,
  Run,
  saveGpt,
  type WeightSource,
} from "../../mod.ts";
import { hookPoints } from "../../src/models/hook_points.ts";
import { assertClose } from "../compare.ts";
import { folder } from "../data/files.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, T, C, B] = [197, 29, 36, 3];
const size = { vocabularySize: V, contextLength: T, channels: C, layers: 2, heads: 3 };
const wide = {
  initializerRange: 0.3,
  embeddingDropout: 0,
  attentionDropout: 0,
  residualDropout: 0,
};
const fresh = freshWeights(1);
const make = (): Gpt => new Gpt(device, createGptConfig(size, { ...wide, mlpChannels: 0 }), fresh);
const ids = Uint32Array.from({ length: B * T }, (_, i) => (i * i + 3) % V);

Deno.test("a GPT without MLPs is one whose MLPs add nothing: logits, loss and every gradient", async () => {
  using _scope = device.scope();
  const silent: WeightSource = (name, shape, initial) =>
    fresh(name, shape, /mlp\.c_proj/.test(name) ? { constant: 0 } : initial);
  const whole = new Gpt(device, createGptConfig(size, { ...wide, mlpChannels: 5 }), silent);
  const targets = device.upload(Int32Array.from(ids, (id) => (id + 1) % V), [B, T]);
  const measure = async (model: Gpt, checkpointing = false) => {
    model.checkpointing = checkpointing;
    const run = new Run(device, { record: true });
    const input = model.ids(ids, [B, T]);
    const { result } = model.loss(run, input, { targets });
    run.tape!.backward(result);
    const { parameters } = model;
    const logits = model.forward(new Run(device), input);
    const [found, loss, ...read] = await device.read(
      logits,
      result,
      ...parameters.map((p) => p.gradient),
    );
    const gradients = new Map(parameters.map(({ name }, i) => [name, read[i]]));
    return { logits: found, loss: loss[0], gradients };
  };
  const wanted = await measure(whole);
  for (const checkpointing of [false, true]) {
    const found = await measure(make(), checkpointing);
    assertClose(found.logits, wanted.logits, { bound: 1e-6, label: "logits" });
    assertClose([found.loss], [wanted.loss], { bound: 1e-6, label: "loss" });
    assert.deepEqual(
      [...found.gradients.keys()],
      [...wanted.gradients.keys()].filter((name) => !/ln_2|mlp/.test(name)),
    );
    for (const [name, gradient] of found.gradients) {
      assertClose(gradient, wanted.gradients.get(name)!, { bound: 1e-5, label: name });
    }
  }
});

Deno.test("its hook points are those that it passes", async () => {
  using _scope = device.scope();
  const model = make();
  const seen: string[] = [];
  const look = (_: unknown, name: string) => void seen.push(name);
  const hooks = new Map(hookPoints(model).map((name) => [name, look]));
  const logits = await model.forward(new Run(device, { hooks }), model.ids(ids, [B, T])).read();
  assert.deepEqual(seen.sort(), hookPoints(model).sort());
  assert.ok(!seen.some((name) => /mlp|ln2|resid_mid/.test(name)));
  const plain = await model.forward(new Run(device), model.ids(ids, [B, T])).read();
  assertClose(logits, plain, { bound: 1e-5, label: "logits" });
});

Deno.test("its directory gives the same model back, and other programs an MLP that adds nothing", async () => {
  const model = make();
  using made = folder();
  const directory = made.path;
  await saveGpt(model, directory);
  const config = JSON.parse(Deno.readTextFileSync(`${directory}/config.json`));
  assert.equal(config.vitrail.attention_only, true);
  assert.equal(config.n_inner, 1);
  using file = openSafetensors(`${directory}/model.safetensors`);
  const extra = file.names.filter((name) => !model.parameters.some((p) => p.name === name));
  assert.equal(extra.length, 2 * 6);
  for (const name of extra) {
    assert.match(name, /^transformer\.h\.[01]\.(ln_2|mlp\.c_fc|mlp\.c_proj)\.(weight|bias)$/);
    assert.ok(file.read(name).every((x) => x === 0), name);
  }
  const again = loadGpt(device, directory);
  assert.deepEqual(again.config, model.config);
  using _scope = device.scope();
  const logits = async (of: Gpt) => await of.forward(new Run(device), of.ids(ids, [B, T])).read();
  assert.deepEqual(await logits(again), await logits(model));
});

Deno.test("it writes what a whole pass after each token would write, and so in int8", async () => {
  for (const model of [make(), await quantizeGpt(make(), { weights: "int8" })]) {
    const prompt = [3, 50, 7];
    const [written] = await generate(model, prompt, { maxNewTokens: 9, temperature: 0 });
    const expected = [...prompt];
    while (expected.length < 12) {
      using _scope = device.scope();
      const logits = await model.forward(new Run(device), model.ids(expected)).read();
      const last = logits.slice(-V);
      expected.push(last.indexOf(Math.max(...last as Float32Array)));
    }
    assert.deepEqual([...written].slice(-9), expected.slice(-9));
  }
});
