/**
 * GPT-2 as a classifier, of odd sizes and with padding, beside PyTorch's own figures.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Run } from "../../src/autograd/run.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { openDevice } from "../../src/gpu/device.ts";
import {
  classificationLoss,
  loadSequenceClassifier,
  type SequenceClassifier,
} from "../../src/models/sequence_classifier.ts";
import { assertClose } from "../compare.ts";

const fixture = (name: string): string =>
  new URL(`../fixtures/gpt2_classifier/${name}`, import.meta.url).pathname;
const bert = new URL("../fixtures/bert/single", import.meta.url).pathname;
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const file = openSafetensors(fixture("fixture.safetensors"));
const integers = (name: string) => new Int32Array(file.readRaw(name).buffer);
const BATCH = { ids: integers("ids"), lengths: integers("lengths"), time: 29 };

const TARGETS: Record<string, Int32Array | Float32Array> = {
  single: Int32Array.of(2, 0, 1),
  multiple: Float32Array.of(1, 0, 1, 0, 0, 0, 0, 1, 1),
  number: Float32Array.of(0.5, -1.25, 2),
};

for (const [name, targets] of Object.entries(TARGETS)) {
  Deno.test(`a GPT's logits and every gradient equal PyTorch's: ${name}`, async () => {
    using _scope = device.scope();
    const model = loadSequenceClassifier(device, fixture(name));
    assert.equal(model.labelKind, name);
    assert.equal(model.padId, 5);
    const run = new Run(device, { record: true });
    const logits = model.logits(run, BATCH);
    const result = classificationLoss(run, logits, { kind: model.labelKind, targets });
    assertClose(await logits.read(), file.read(`${name}.logits`), { bound: 1e-4, label: "logits" });
    const [loss, count] = await result.read();
    assertClose([loss], file.read(`${name}.loss`), { bound: 1e-5, label: "loss" });
    assert.equal(count, targets.length);
    run.tape!.backward(result);
    assert.equal(model.parameters.at(-1)!.name, "score.weight");
    for (const p of model.parameters) {
      const expected = file.read(`${name}.grad.${p.name}`);
      assertClose(await p.gradient.read(), expected, { bound: 1e-3, label: p.name });
    }
  });
}

Deno.test("the weighted loss and its gradient equal PyTorch's", async () => {
  using _scope = device.scope();
  const run = new Run(device, { record: true });
  const logits = device.upload(file.read("single.logits") as Float32Array<ArrayBuffer>, [3, 3]);
  run.tape!.watch(logits);
  const weights = [0.25, 2.5, 1.5];
  const targets = TARGETS.single;
  const result = classificationLoss(run, logits, { kind: "single", targets, weights, scale: 0.5 });
  const [loss, count] = await result.read();
  assertClose([loss], file.read("weighted.loss"), { bound: 1e-5, label: "loss" });
  assert.equal(count, 4.25);
  const found = await run.tape!.backward(result).get(logits)!.read();
  const halves = file.read("weighted.grad").map((value) => value / 2);
  assertClose(found, halves, { bound: 1e-5, label: "gradient" });
});

/** Logits of one sequence alone, at its own length. */
async function alone(model: SequenceClassifier, b: number): Promise<ArrayLike<number>> {
  const length = BATCH.lengths[b];
  const ids = BATCH.ids.slice(b * 29, b * 29 + length);
  return await model.logits(new Run(device), { ids, lengths: [length], time: length }).read();
}

for (const [family, directory] of Object.entries({ gpt2: fixture("single"), bert })) {
  Deno.test(`a sequence alone and in a padded batch gives the same logits: ${family}`, async () => {
    using _scope = device.scope();
    const model = loadSequenceClassifier(device, directory);
    assert.equal(model.family, family);
    const together = await model.logits(new Run(device), BATCH).read();
    for (const b of [0, 1, 2]) {
      const own = together.slice(b * 3, b * 3 + 3);
      assertClose(await alone(model, b), own, { bound: 1e-5, label: `sequence ${b}` });
    }
  });

  Deno.test(`a classifier that was saved is the same again, also with a head of its own: ${family}`, async () => {
    using _scope = device.scope();
    const directoryOfOurs = Deno.makeTempDirSync();
    try {
      const labels = ["ham", "spam", "eggs", "toast"];
      const model = loadSequenceClassifier(device, directory, { labels, padId: 5, seed: 3 });
      const wanted = await model.logits(new Run(device), BATCH).read();
      await model.save(directoryOfOurs);
      const again = loadSequenceClassifier(device, directoryOfOurs);
      assert.deepEqual(again.labels, labels);
      assert.equal(again.labelKind, "single");
      assert.equal(again.padId, model.padId);
      assert.deepEqual(await again.logits(new Run(device), BATCH).read(), wanted);
    } finally {
      Deno.removeSync(directoryOfOurs, { recursive: true });
    }
  });
}

for (const [family, directory] of Object.entries({ gpt2: fixture("single"), bert })) {
  Deno.test(`a model without dropout is fine-tuned with some where that is asked for: ${family}`, async () => {
    using _scope = device.scope();
    const labels = ["ham", "spam", "eggs"];
    const logits = (dropout: number | undefined, training: boolean) =>
      loadSequenceClassifier(device, directory, { labels, dropout })
        .logits(new Run(device, { training, seed: 7 }), BATCH).read();
    const plain = await logits(undefined, false);
    assert.deepEqual(await logits(undefined, true), plain);
    assert.deepEqual(await logits(0.4, false), plain);
    assert.notDeepEqual(await logits(0.4, true), plain);
  });
}

Deno.test("what is no classifier, and sequences that do not fit, are told", () => {
  const gpt2 = new URL("../fixtures/gpt2/model", import.meta.url).pathname;
  const tags = new URL("../fixtures/bert/tags", import.meta.url).pathname;
  assert.throws(
    () => loadSequenceClassifier(device, gpt2),
    /VitrailError: .*architectures names "GPT2LMHeadModel", wanted GPT2ForSequenceClassification/,
  );
  assert.throws(
    () => loadSequenceClassifier(device, tags),
    /VitrailError: Cannot classify sequences with this BERT: its head is for token-classification/,
  );
  const model = loadSequenceClassifier(device, fixture("single"));
  assert.throws(
    () => model.logits(new Run(device), { ...BATCH, lengths: [29, 0, 4] }),
    /VitrailError: Cannot classify sequence 1: its length is 0, wanted 1 to 29/,
  );
});
