/**
 * Models opened with adapters: PEFT's, which say little of the head that they bring, and ours.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  addLora,
  Bert,
  type BertHeadsSettings,
  createBertConfig,
  createGptConfig,
  freshWeights,
  Gpt,
  loadAdaptedBert,
  loadAdaptedClassifier,
  loadBert,
  modelTask,
  openDevice,
  openSafetensors,
  Run,
  saveAdapter,
  saveBert,
  saveGpt,
  trainedWhole,
  writeSafetensors,
} from "../../mod.ts";
import { classLogits } from "../../src/models/bert_tasks.ts";
import { assertClose } from "../compare.ts";
import { folder } from "../data/files.ts";

const FIXTURES = new URL("../fixtures", import.meta.url).pathname;
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

Deno.test("PEFT's adapter brings its head to a BERT that has none, under transformers' names", async () => {
  using _scope = device.scope();
  const own = `${FIXTURES}/bert/single`;
  const json = JSON.parse(Deno.readTextFileSync(`${own}/config.json`));
  using made = folder({
    "config.json": JSON.stringify({ ...json, architectures: ["BertModel"], id2label: undefined }),
    "model.safetensors": Deno.readFileSync(`${own}/model.safetensors`),
  });
  const adapter = `${FIXTURES}/lora/bert`;
  using inputs = openSafetensors(`${FIXTURES}/bert/fixture.safetensors`);
  using expected = openSafetensors(`${FIXTURES}/lora/fixture.safetensors`);
  assert.throws(() => modelTask(made.path), /this BERT has no head/);
  assert.equal(modelTask(made.path, adapter), "classify");
  const { model } = loadAdaptedClassifier(device, made.path, adapter);
  assert.deepEqual(model.labels, ["LABEL_0", "LABEL_1", "LABEL_2"]);
  assert.equal(model.labelKind, "single");
  // The fixture's batch has two segments; a classifier's has one: both go through the same layers.
  const { model: bert } = loadAdaptedBert(device, made.path, adapter);
  const integers = (name: string) => new Int32Array(inputs.readRaw(name).buffer);
  const shape = [3, 29];
  const logits = classLogits(new Run(device), bert, {
    ids: bert.ids(integers("ids"), shape),
    segments: device.upload(Uint32Array.from(integers("segments")), shape),
    mask: device.upload(Float32Array.from(integers("mask"), (m) => m ? 0 : -Infinity), shape),
  });
  assertClose(await logits.read(), expected.read("bert.logits"), { bound: 1e-4, label: "logits" });
  assert.deepEqual(loadAdaptedClassifier(device, own, adapter).model.labels, [
    ...Array.from({ length: 3 }, (_, i) => json.id2label[i]),
  ]);
});

const sizes = { vocabularySize: 197, contextLength: 29, channels: 36, layers: 2, heads: 3 };

Deno.test("a head that an adapter brings is found by PEFT's word for the task", async () => {
  const places = ["base", "gpt", "tag", "answer", "classify"];
  using made = folder(Object.fromEntries(places.map((place) => [`${place}/.keep`, ""])));
  const bert = (heads: BertHeadsSettings) =>
    new Bert(device, createBertConfig(sizes), { heads, source: freshWeights(4) });
  await saveBert(bert({ kind: "masked-language" }), made.at("base"));
  const cases: [BertHeadsSettings, "tag" | "answer" | "classify"][] = [
    [{ kind: "token-classification", labels: ["A", "B", "C", "D", "E"] }, "tag"],
    [{ kind: "question-answering" }, "answer"],
    [{ kind: "sequence-classification", labels: ["x"], labelKind: "number" }, "classify"],
  ];
  for (const [heads, task] of cases) {
    const { taskType, ...whole } = trainedWhole(task, made.at("base"));
    // A model that only guessed tokens has no pooler.
    assert.equal(whole.trainedWhole.includes("pooler"), task === "classify");
    const adapter = addLora(bert(heads), { rank: 2, targets: ["query"], ...whole });
    await saveAdapter(adapter, made.at(task), { taskType });
    assert.equal(modelTask(made.at("base"), made.at(task)), task);
    const { model } = loadAdaptedBert(device, made.at("base"), made.at(task));
    const labels = "labels" in heads ? heads.labels.map((_, i) => `LABEL_${i}`) : undefined;
    assert.deepEqual(model.heads.settings, { ...heads, ...labels && { labels } });
  }
  await saveGpt(new Gpt(device, createGptConfig(sizes)), made.at("gpt"));
  assert.equal(modelTask(made.at("gpt")), "generate");
  assert.throws(
    () => modelTask(made.at("nothing")),
    /nothing\/config\.json: no such file .*; wanted a Hugging Face model directory/,
  );
});

Deno.test("a file of the encoder alone has its pooler under a shorter name, which is found", async () => {
  using made = folder({ "whole/.keep": "", "bare/.keep": "" });
  const model = new Bert(device, createBertConfig(sizes), {
    heads: { kind: "none" },
    source: freshWeights(4),
  });
  await saveBert(model, made.at("whole"));
  using file = openSafetensors(made.at("whole/model.safetensors"));
  const tensors = file.names.map((name) => ({
    name: name.replace(/^bert\./, ""),
    shape: file.info(name).shape,
    dtype: "F32" as const,
    data: file.read(name),
  }));
  await writeSafetensors(made.at("bare/model.safetensors"), tensors, {});
  Deno.copyFileSync(made.at("whole/config.json"), made.at("bare/config.json"));
  assert.deepEqual(trainedWhole("classify", made.at("bare")).trainedWhole, ["classifier"]);
  const heads = {
    kind: "sequence-classification" as const,
    labels: ["x", "y"],
    labelKind: "single" as const,
  };
  // Were it made afresh, another seed would give other weights.
  const { parameters } = loadBert(device, made.at("bare"), { heads, seed: 9 });
  const pooler = parameters.find(({ name }) => name === "bert.pooler.dense.weight")!;
  assert.deepEqual(await pooler.read(), file.read("bert.pooler.dense.weight"));
});

Deno.test("what is trained whole is not adapted too", () => {
  const heads = { kind: "sequence-classification" as const, labels: ["x", "y"] };
  const model = new Bert(device, createBertConfig(sizes), {
    heads: { ...heads, labelKind: "single" },
    source: freshWeights(4),
  });
  const { layers } = addLora(model, {
    rank: 2,
    targets: ["dense"],
    trainedWhole: ["classifier", "pooler"],
  });
  assert.equal(layers.length, 6, layers.map(({ name }) => name).join());
  assert.ok(layers.every(({ name }) => name.includes(".layer.")));
});
