/**
 * Directories as they lie on the hub and as programs leave them: opened with transformers' outputs, and
 * PyTorch's gradients through other activations and scales. See tests/fixtures/opened/make_fixture.py.
 *
 * @module
 */
import assert from "node:assert/strict";
import { crossEntropy } from "../../src/autograd/ops/cross_entropy.ts";
import { Run } from "../../src/autograd/run.ts";
import { openModelWeights } from "../../src/formats/safetensors.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { loadBert, loadGpt, saveBert, saveGpt } from "../../src/models/files.ts";
import { assertClose } from "../compare.ts";
import { assertThrowsFault, temporaryDirectory } from "../formats/files.ts";
import { type ConfigCase, tryCase } from "./config_cases.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const root = new URL("../fixtures/opened/", import.meta.url).pathname;
const cases = Array.from(Deno.readDirSync(root), ({ name }) => name)
  .filter((name) => !name.endsWith(".py")).sort();

const read = (name: string): ConfigCase & { gradients?: Record<string, number[]> } =>
  JSON.parse(Deno.readTextFileSync(`${root}${name}/expected.json`));

Deno.test("every case is equal to transformers within 1e-5; seen at most 1.4e-6", async () => {
  assert.equal(cases.length, 17);
  for (const name of cases) {
    const { kind, detail } = await tryCase(device, `${root}${name}`, read(name));
    assert.equal(kind, "equal", `${name}: ${detail}`);
  }
});

for (const name of cases.filter((name) => read(name).gradients)) {
  Deno.test(`${name}: PyTorch's gradients`, async () => {
    using _scope = device.scope();
    const { family, ids, gradients } = read(name);
    const run = new Run(device, { record: true });
    const targets = device.upload(Int32Array.from([...ids.slice(1), -100]), [1, ids.length]);
    let parameters;
    if (family === "gpt2") {
      const model = loadGpt(device, `${root}${name}`);
      run.tape!.backward(model.loss(run, model.ids(ids), { targets }).result);
      ({ parameters } = model);
    } else {
      const model = loadBert(device, `${root}${name}`);
      const hidden = model.hidden(run, { ids: model.ids(ids) });
      const logits = model.heads.masked!.forward(run, hidden);
      run.tape!.backward(crossEntropy(run, logits, { targets }).result);
      ({ parameters } = model);
    }
    assert.ok(Object.keys(gradients!).length >= 2);
    for (const [key, expected] of Object.entries(gradients!)) {
      const found = await parameters.find((p) => p.name === key)!.gradient.read();
      // Seen at most 6.3e-7.
      assertClose(found, Float64Array.from(expected), { bound: 6e-6, label: `${name} ${key}` });
    }
  });
}

Deno.test("another head than the embedding is warned of once, and kept when it is saved", async () => {
  using place = temporaryDirectory();
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const model = loadGpt(device, `${root}gpt_other_head`, { warn });
  assert.match(
    warnings.join("\n"),
    /^config.json has tie_word_embeddings true, but lm_head.weight/,
  );
  await saveGpt(model, place.path);
  loadGpt(device, place.path, { warn });
  loadGpt(device, `${root}gpt_head_alone`, { warn });
  assert.equal(warnings.length, 1);
  const expected = { ...read("gpt_other_head"), outputs: read("gpt_other_head").outputs };
  assert.equal((await tryCase(device, place.path, expected)).kind, "equal");
});

Deno.test("a BERT whose head is its own is saved with all that transformers asks for", async () => {
  using place = temporaryDirectory();
  await saveBert(loadBert(device, `${root}bert_untied`), place.path);
  assert.equal((await tryCase(device, place.path, read("bert_untied"))).kind, "equal");
  const names = (path: string) => {
    using file = openModelWeights(path);
    return [...file.names].sort();
  };
  assert.deepEqual(names(place.path), names(`${root}bert_untied`));
});

Deno.test("a directory without model.safetensors: what it holds, and the command that converts it", () => {
  const holding = (...names: string[]): string => {
    using place = temporaryDirectory();
    for (const name of names) Deno.writeTextFileSync(`${place.path}/${name}`, "");
    try {
      openModelWeights(place.path);
      return "opened";
    } catch (error) {
      return (error as Error).message.replaceAll(place.path, "DIR");
    }
  };
  const all: [string[], RegExp][] = [
    [
      ["pytorch_model.bin", "training_args.bin"],
      /but "pytorch_model.bin", weights of PyTorch; conv.*'.*\/pytorch_model.bin'/,
    ],
    [
      ["pytorch_model-00001-of-00002.bin"],
      /weights of PyTorch; convert .* '.*\/pytorch_model\*.bin'/,
    ],
    [
      ["model.fp16.safetensors"],
      /but "model.fp16.safetensors", a variant .*: mv .*fp16.* .*\/model.safe/,
    ],
    [
      ["model.safetensors.index.fp16.json"],
      /a variant of the weights in several files; rename it: mv/,
    ],
    [
      ["weights.safetensors"],
      /but "weights.safetensors", weights under another name; rename it: mv/,
    ],
    [["tf_model.h5"], /weights of TensorFlow or Flax; save the model again with `save_pretrained`/],
    [["model.gguf"], /weights of llama.cpp; take the model/],
    [["config.json"], /no such file/],
  ];
  for (const [names, words] of all) assert.match(holding(...names), words);
});

Deno.test("a tensor that is not there: what the file has, and what asks for it", () => {
  using place = temporaryDirectory();
  for (const name of ["config.json", "model.safetensors"]) {
    Deno.copyFileSync(`${root}gpt_bare/${name}`, `${place.path}/${name}`);
  }
  const config = JSON.parse(Deno.readTextFileSync(`${place.path}/config.json`));
  const change = (changes: object) =>
    Deno.writeTextFileSync(`${place.path}/config.json`, JSON.stringify({ ...config, ...changes }));
  change({ tie_word_embeddings: false });
  assertThrowsFault(
    () => loadGpt(device, place.path),
    "no tensor lm_head.weight, but tensors such as",
  );
  assertThrowsFault(() => loadGpt(device, place.path), "asks for it by tie_word_embeddings false");
  change({ n_layer: 3 });
  assertThrowsFault(
    () => loadGpt(device, place.path),
    "no tensor transformer.h.2.ln_1.weight, but tensors such as",
  );
  assertThrowsFault(
    () => loadGpt(device, place.path),
    "asks for it by n_layer and n_embd, and both",
  );
  change({ n_positions: 9 });
  assertThrowsFault(
    () => loadGpt(device, place.path),
    "has shape (8, 6), config.json asks for (9, 6) by n_positions and n_embd",
  );
});
