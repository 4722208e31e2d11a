/**
 * A GPT-2 of odd sizes beside PyTorch's own figures.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Hook, Run } from "../../src/autograd/run.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { generate } from "../../src/generation/generate.ts";
import { loadGpt } from "../../src/models/files.ts";
import { languageModelling } from "../../src/training/task.ts";
import { Trainer } from "../../src/training/trainer.ts";
import { assertClose, relativeError } from "../compare.ts";
import { openDevices } from "../kernels/devices.ts";

const FIXTURE = new URL("../fixtures/gpt2", import.meta.url).pathname;
const launches = await openDevices();
const [[, device]] = launches;
const file = openSafetensors(`${FIXTURE}/fixture.safetensors`);
const integers = (name: string) => new Int32Array(file.readRaw(name).buffer);
const listen: Hook = () => {};

const MODES = [
  "attention fused",
  "attention with its pattern",
  "attention checkpointed",
  "its loss in chunks",
];
/** By the kernels that ship for a processor each way, by those for a GPU the usual one. */
const WAYS = launches.flatMap(([name, device]) =>
  (name === "processor" ? MODES : MODES.slice(0, 1)).map((mode) => ({ name, device, mode }))
);
for (const { name, device, mode } of WAYS) {
  Deno.test(`logits and every gradient equal PyTorch's, ${name}, ${mode}`, async () => {
    using _scope = device.scope();
    const model = loadGpt(device, `${FIXTURE}/model`);
    model.checkpointing = mode === "attention checkpointed";
    // Twice the same sequences have the same mean loss, and rows enough for three chunks of 64.
    const times = mode === "its loss in chunks" ? 2 : 1;
    if (times === 2) model.logitBytes = 1;
    const twice = (x: Int32Array): Int32Array<ArrayBuffer> =>
      Int32Array.from({ length: times * x.length }, (_, i) => x[i % x.length]);
    const hooks = new Map(
      mode === "attention with its pattern"
        ? [0, 1].map((i) => [`blocks.${i}.attn.hook_pattern`, listen])
        : [],
    );
    const run = new Run(device, { record: true, hooks });
    const ids = model.ids(integers("ids"), [3, 29]);
    const logits = await model.forward(new Run(device, { hooks }), ids).read();
    assertClose(logits, file.read("logits"), { bound: 1e-4, label: "logits" });
    const shape = [times * 3, 29];
    const targets = device.upload(twice(integers("targets")), shape);
    const { result } = model.loss(run, model.ids(twice(integers("ids")), shape), { targets });
    run.tape!.backward(result);
    assertClose((await result.read()).slice(0, 1), file.read("loss"), {
      bound: 1e-5,
      label: "loss",
    });
    for (const p of model.parameters) {
      const expected = file.read(`grad.${p.name}`);
      assertClose(await p.gradient.read(), expected, { bound: 1e-3, label: p.name });
    }
  });
}

Deno.test("twenty AdamW losses equal PyTorch's", async () => {
  const model = loadGpt(device, `${FIXTURE}/model`);
  const trainer = new Trainer(languageModelling(model, 29), { clip: 1, weightDecay: 0.1 });
  const [ids, targets] = [integers("step_ids"), integers("step_targets")];
  const size = 3 * 29;
  for (let i = 0; i < 20; i++) {
    const [begin, end] = [i * size, (i + 1) * size];
    trainer.step([{
      inputs: Uint32Array.from(ids.slice(begin, end)),
      targets: targets.slice(begin, end),
    }], 1e-3);
  }
  const losses = (await trainer.figures()).map((f) => f.loss);
  const expected = file.read("losses");
  losses.forEach((loss, i) => {
    assert.ok(Math.abs(loss / expected[i] - 1) < 1e-4, `step ${i}: ${loss}, wanted ${expected[i]}`);
  });
});

for (const [name, device] of launches) {
  Deno.test(`greedy generation gives the ids of transformers, ${name}`, async () => {
    const model = loadGpt(device, `${FIXTURE}/model`);
    const options = { maxNewTokens: 12, temperature: 0, samples: 3 };
    const out = await generate(model, [54, 38, 0], options);
    for (const ids of out) assert.deepEqual(ids, Array.from(integers("greedy")));
  });
}

Deno.test("a prompt in pieces through the cache gives the logits of the whole", async () => {
  using _scope = device.scope();
  const model = loadGpt(device, `${FIXTURE}/model`);
  const ids = integers("ids").slice(0, 29);
  const whole = await model.forward(new Run(device), model.ids(ids)).read();
  const cache = model.cache(1);
  let last: Float32Array | undefined;
  for (const [from, to] of [[0, 11], [11, 14], [14, 15], [15, 29]]) {
    const logits = model.forward(new Run(device), model.ids(ids.slice(from, to)), { cache });
    last = (await logits.read() as Float32Array).slice(-197);
  }
  assert.ok(relativeError(last!, whole.slice(-197)) < 1e-5);
});
