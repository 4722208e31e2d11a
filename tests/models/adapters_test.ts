/**
 * LoRA adapters that PEFT wrote, beside PyTorch's own figures: GPT-2's packed layer whole, BERT's query
 * and value as parts of one.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Run } from "../../src/autograd/run.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { openDevice } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import {
  type Adaptable,
  addLora,
  loadAdapter,
  mergeAdapter,
  removeAdapter,
  saveAdapter,
} from "../../src/models/adapters.ts";
import type { Bert } from "../../src/models/bert.ts";
import { classify } from "../../src/models/bert_tasks.ts";
import { loadBert, loadGpt } from "../../src/models/files.ts";
import type { Gpt } from "../../src/models/gpt.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { assertClose, numbers } from "../compare.ts";

const FIXTURES = new URL("../fixtures", import.meta.url).pathname;
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const file = openSafetensors(`${FIXTURES}/lora/fixture.safetensors`);
const inputs = {
  gpt2: openSafetensors(`${FIXTURES}/gpt2/fixture.safetensors`),
  bert: openSafetensors(`${FIXTURES}/bert/fixture.safetensors`),
};
const shape = [3, 29];

type Outcome = { logits: Tensor; loss: Tensor };

function gptOutcome(model: Gpt, run: Run): Outcome {
  const integers = (name: string) => new Int32Array(inputs.gpt2.readRaw(name).buffer);
  const ids = model.ids(integers("ids"), shape);
  const targets = device.upload(integers("targets"), shape);
  return {
    logits: model.forward(new Run(device), ids),
    loss: model.loss(run, ids, { targets }).result,
  };
}

function bertOutcome(model: Bert, run: Run): Outcome {
  const integers = (name: string) => new Int32Array(inputs.bert.readRaw(name).buffer);
  const seen = Float32Array.from(integers("mask"), (seen) => seen ? 0 : -Infinity);
  const { losses, logits } = classify(run, model, {
    ids: model.ids(integers("ids"), shape),
    segments: device.upload(Uint32Array.from(integers("segments")), shape),
    mask: device.upload(seen, shape),
    labels: Int32Array.of(2, 0, 1),
  });
  return { logits: Object.values(logits)[0], loss: losses[0].result };
}

/** A model of the fixture, and what it makes of the fixture's batch. */
const MODELS: Record<string, () => { model: Adaptable; outcome: (run: Run) => Outcome }> = {
  gpt2() {
    const model = loadGpt(device, `${FIXTURES}/gpt2/model`);
    return { model, outcome: (run) => gptOutcome(model, run) };
  },
  bert() {
    const model = loadBert(device, `${FIXTURES}/bert/single`);
    return { model, outcome: (run) => bertOutcome(model, run) };
  },
};

const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0);

for (const [name, make] of Object.entries(MODELS)) {
  const directory = `${FIXTURES}/lora/${name}`;

  Deno.test(`${name}: logits, loss and every gradient equal PEFT's`, async () => {
    using _scope = device.scope();
    const { model, outcome } = make();
    const adapter = loadAdapter(model, directory);
    const run = new Run(device, { record: true });
    const { logits, loss } = outcome(run);
    assertClose(await logits.read(), file.read(`${name}.logits`), { bound: 1e-4, label: "logits" });
    const found = (await loss.read()).slice(0, 1);
    assertClose(found, file.read(`${name}.loss`), { bound: 1e-5, label: "loss" });
    run.tape!.backward(loss);
    const gradients = file.names.filter((n) => n.startsWith(`${name}.grad.`));
    const names = adapter.parameters.map((p) =>
      `${name}.grad.${p.name}`.replace(/grad\.(?!base_)/, "grad.base_model.model.")
    );
    assert.deepEqual(names.toSorted(), gradients.toSorted());
    for (const [i, p] of adapter.parameters.entries()) {
      assertClose(await p.gradient.read(), file.read(names[i]), { bound: 1e-3, label: names[i] });
    }
  });

  Deno.test(`${name}: merged it computes what PEFT's merged model does, within 1e-5 of before`, async () => {
    using _scope = device.scope();
    const { model, outcome } = make();
    const adapter = loadAdapter(model, directory);
    const unmerged = await outcome(new Run(device)).logits.read();
    mergeAdapter(model, adapter);
    assert.ok(model.linears.every(({ adaptations }) => adaptations.length === 0));
    const merged = await outcome(new Run(device)).logits.read();
    const scale = Math.max(...Array.from(unmerged, Math.abs));
    const off = largest(merged, unmerged);
    assert.ok(off <= 1e-5 * scale, `${off} of ${scale}`);
    assertClose(merged, file.read(`${name}.merged`), { bound: 1e-4, label: "PEFT's" });
  });

  Deno.test(`${name}: saved it is PEFT's file again, name by name and number by number`, async () => {
    const { model } = make();
    const out = Deno.makeTempDirSync();
    try {
      await saveAdapter(loadAdapter(model, directory), out);
      using ours = openSafetensors(`${out}/adapter_model.safetensors`);
      using theirs = openSafetensors(`${directory}/adapter_model.safetensors`);
      assert.deepEqual(ours.names.toSorted(), theirs.names.toSorted());
      for (const tensor of theirs.names) {
        assert.deepEqual(ours.info(tensor).shape, theirs.info(tensor).shape, tensor);
        assert.deepEqual(ours.read(tensor), theirs.read(tensor), tensor);
      }
      const [written, read] = [out, directory].map((d) =>
        JSON.parse(Deno.readTextFileSync(`${d}/adapter_config.json`))
      );
      for (const key of Object.keys(written)) assert.deepEqual(written[key], read[key], key);
    } finally {
      Deno.removeSync(out, { recursive: true });
    }
  });

  Deno.test(`${name}: a new adapter changes nothing until it is trained, then only itself`, async () => {
    const { model, outcome } = make();
    const kept = device.scope();
    const before = await outcome(new Run(device)).logits.read();
    const weights = await device.read(...model.parameters);
    const targets = name === "gpt2" ? ["c_attn", "mlp.c_proj"] : ["query", "value"];
    const adapter = addLora(model, { rank: 3, targets, seed: 5 });
    assert.deepEqual(await outcome(new Run(device)).logits.read(), before);
    const optimizer = new AdamW([...model.parameters, ...adapter.parameters], { weightDecay: 0 });
    assert.deepEqual(optimizer.parameters, adapter.parameters);
    assert.equal(optimizer.moments.length, adapter.parameters.length);
    const losses: Tensor[] = [];
    for (let step = 0; step < 12; step++) {
      const run = new Run(device, { record: true });
      optimizer.clearGradients();
      losses.push(outcome(run).loss);
      run.tape!.backward(losses[step]);
      optimizer.step(1e-2);
    }
    const [first, last] = await device.read(losses[0], losses[11]);
    assert.ok(last[0] < 0.9 * first[0], `${first[0]} fell to ${last[0]} only`);
    assert.deepEqual(await device.read(...model.parameters), weights);
    const after = await outcome(new Run(device)).logits.read();
    removeAdapter(model, adapter);
    assert.deepEqual(await outcome(new Run(device)).logits.read(), before);
    assert.ok(model.parameters.every((p) => !p.frozen));
    assert.notDeepEqual(after, before);
    kept[Symbol.dispose]();
  });
}

Deno.test("layers trained whole are saved and loaded with the adapter, packed ones in their parts", async () => {
  const { model } = MODELS.bert();
  const settings = {
    rank: 2,
    targets: ["dense"],
    trainedWhole: ["layer.1.attention", "classifier"],
  };
  const adapter = addLora(model, settings);
  assert.deepEqual(
    model.parameters.filter((p) => !p.frozen).map(({ name }) => name),
    model.parameters.map(({ name }) => name).filter((n) =>
      /layer\.1\.attention|^classifier/.test(n)
    ),
  );
  for (const [i, p] of adapter.parameters.entries()) device.write(p, numbers(p.size, i));
  const out = Deno.makeTempDirSync();
  try {
    await saveAdapter(adapter, out);
    using file = openSafetensors(`${out}/adapter_model.safetensors`);
    const self = "base_model.model.bert.encoder.layer.1.attention.self";
    assert.deepEqual(
      file.names.filter((n) => n.startsWith(self)).toSorted(),
      ["key", "query", "value"].flatMap((p) => [`${self}.${p}.bias`, `${self}.${p}.weight`]),
    );
    const { model: other } = MODELS.bert();
    const loaded = loadAdapter(other, out);
    assert.equal(loaded.parameters.length, adapter.parameters.length);
    const found = await device.read(...loaded.parameters);
    loaded.parameters.forEach(({ name }, i) => {
      const at = adapter.parameters.findIndex((p) => p.name === name);
      assert.deepEqual(found[i], numbers(found[i].length, at), name);
    });
    const without = MODELS.gpt2().model;
    assert.throws(() => loadAdapter(without, out), /it adapts bert\.encoder\..* does not have$/);
  } finally {
    Deno.removeSync(out, { recursive: true });
  }
});

/** Kernels of a backward pass of the fixture's GPT-2 with LoRA on these layers. */
function backwardKernels(targets: string[], trainedWhole: string[] = []): string[] {
  using _scope = device.scope();
  const { model, outcome } = MODELS.gpt2();
  addLora(model, { rank: 4, targets, trainedWhole });
  const run = new Run(device, { record: true });
  const { loss } = outcome(run);
  const names: string[] = [];
  const dispatch = device.dispatch;
  device.dispatch = (kernel, entryPoint, args) => {
    names.push(kernel.name);
    dispatch.call(device, kernel, entryPoint, args);
  };
  const before = device.commands.dispatches;
  run.tape!.backward(loss);
  device.dispatch = dispatch;
  assert.equal(device.commands.dispatches - before, names.length);
  return names.filter((n) => !n.startsWith("pack_")); // copies of a product's operands
}

Deno.test("frozen weights take no gradient kernel, and nothing below the lowest adaptation does", () => {
  // Down to the last layer: the head's and the last norm's inputs; then d·B, its scaling, dA and dB.
  const matmul = backwardKernels(["h.1.mlp.c_proj"]).find((n) => n.startsWith("matmul"))!;
  assert.deepEqual(backwardKernels(["h.1.mlp.c_proj"]), [
    "cross_entropy",
    matmul,
    "layer_norm",
    matmul, // dB
    matmul, // d·B
    "columns",
    matmul, // dA
  ]);
  // One layer down: dX of both adapted layers, and of what lies between them, but no dW.
  const sums = (names: string[]) => names.filter((n) => n === "column_sum").length;
  const lower = backwardKernels(["mlp.c_fc"]);
  assert.equal(sums(lower), 0);
  assert.ok(!lower.includes("embedding"));
  // Trained whole as well, the last norm takes both its sums over rows in two dispatches.
  assert.equal(sums(backwardKernels(["mlp.c_fc"], ["ln_f"])), 2);
});

Deno.test("layers are chosen by the ends of their names, with * for any letters", () => {
  const { model } = MODELS.gpt2();
  const namesOf = (targets: string[]) => {
    const adapter = addLora(model, { rank: 2, targets });
    removeAdapter(model, adapter);
    return { layers: adapter.layers.map(({ name }) => name), targets: adapter.config.targets };
  };
  assert.deepEqual(namesOf(["c_proj"]), {
    layers: [
      "transformer.h.0.attn.c_proj",
      "transformer.h.0.mlp.c_proj",
      "transformer.h.1.attn.c_proj",
      "transformer.h.1.mlp.c_proj",
    ],
    targets: ["c_proj"],
  });
  const both = ["transformer.h.0.attn.c_attn", "transformer.h.1.attn.c_attn"];
  assert.deepEqual(namesOf(["h.*.attn.c_a*"]), { layers: both, targets: both });
});

Deno.test("what cannot be adapted, or was made for another model, is told", () => {
  const { model } = MODELS.gpt2();
  const other = MODELS.bert().model;
  const refuses = (act: () => unknown, message: string): void =>
    assert.throws(act, { name: "VitrailError", message });
  refuses(
    () => addLora(model, { targets: ["query"] }),
    "Cannot add LoRA to query: no layer's name ends so; the model's layers are c_attn, c_proj, c_fc",
  );
  refuses(
    () => addLora(model, { rank: 0, targets: ["c_attn"] }),
    "Cannot add LoRA: rank is 0, wanted a whole number from 1",
  );
  refuses(
    () => addLora(model, { targets: ["c_attn"], trainedWhole: ["classifier"] }),
    "Cannot train classifier whole: no parameter has that in its name",
  );
  const directory = `${FIXTURES}/lora/gpt2`;
  refuses(
    () => loadAdapter(other, directory),
    `Cannot load the adapter in ${directory}: it adapts transformer.h.0.attn.c_attn ` +
      "(target_modules), which this model does not have",
  );
  const headless = loadBert(device, `${FIXTURES}/bert/pretraining`);
  refuses(
    () => loadAdapter(headless, `${FIXTURES}/lora/bert`),
    `Cannot load the adapter in ${FIXTURES}/lora/bert: its modules_to_save hold ` +
      "classifier.bias, which this model does not have",
  );
  assert.ok([model, other, headless].every((m) => m.parameters.every((p) => !p.frozen)));
  loadAdapter(model, directory);
  refuses(
    () => loadAdapter(model, directory),
    "Cannot add an adapter: the model has one; merge or remove it first",
  );
});
