/**
 * The logit lens against models that end where it looks, and the tuned lens against the plain one.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Bert,
  createBertConfig,
  createGptConfig,
  Gpt,
  type LensBatch,
  lensDivergence,
  loadTunedLens,
  logitLens,
  openDevice,
  runWithHooks,
  trainTunedLens,
  TunedLens,
} from "../../mod.ts";
import { softmax } from "../../src/probes/metrics.ts";
import { assertClose } from "../compare.ts";
import { busy, idsOf, SIZE } from "./busy_models.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, L] = [SIZE.vocabularySize, SIZE.layers];
const T = 13;
const families = {
  GPT: (layers: number) => new Gpt(device, createGptConfig({ ...SIZE, layers }), busy),
  BERT: (layers: number) =>
    new Bert(device, createBertConfig({ ...SIZE, layers }), {
      heads: { kind: "masked-language" },
      source: busy,
    }),
};

for (const [family, make] of Object.entries(families)) {
  const model = make(L);
  const ids = idsOf(T);
  const input = { ids: model.ids(ids) };

  Deno.test(`logit lens, ${family}: each layer says what a model of that many layers would`, async () => {
    const targets = Array.from({ length: T }, (_, t) => t % 3 === 0 ? -100 : (t * 37) % V);
    const rows = await logitLens(model, input, { top: 4, targets });
    assert.deepEqual(rows.map(({ label }) => label), [
      "embeddings",
      "layer 1",
      "layer 2",
      "layer 3",
    ]);
    const whole = await runWithHooks(model, input, { hooks: [] }).read();
    for (let l = 1; l <= L; l++) {
      const short = await runWithHooks(make(l), input, { hooks: [] }).read();
      rows[l].cells.forEach((cell, t) => {
        const [q, final] = [short, whole].map((logits) =>
          softmax(Array.from(logits.subarray(t * V, (t + 1) * V)))
        );
        const order = Array.from(q.keys()).sort((a, b) => q[b] - q[a] || a - b);
        assert.deepEqual(cell.top.map(({ id }) => id), order.slice(0, 4));
        assertClose(cell.top.map((c) => c.probability), order.slice(0, 4).map((id) => q[id]), {
          bound: 1e-5,
          label: `probabilities of layer ${l}`,
        });
        const kl = final.reduce((sum, p, j) => sum + p * Math.log(p / q[j]), 0);
        assert.ok(Math.abs(cell.klToFinal - kl) < 1e-5, `${cell.klToFinal} and ${kl}`);
        if (t % 3 === 0) return assert.equal(cell.target, undefined);
        assert.equal(cell.target!.rank, order.indexOf(targets[t]) + 1);
        assert.equal(cell.target!.id, targets[t]);
      });
    }
    assert.ok(rows[L].cells.every(({ klToFinal }) => klToFinal === 0));
    assert.ok(rows[0].cells.every(({ klToFinal }) => klToFinal > 0.01));
  });

  Deno.test(`logit lens, ${family}: what is to be guessed, if nobody says it`, async () => {
    const rows = await logitLens(model, input);
    const wanted = family === "GPT" ? [...ids.subarray(1), undefined] : [...ids];
    assert.deepEqual(rows[1].cells.map(({ target }) => target?.id), wanted);
    const two = { ids: model.ids(idsOf(2 * T), [2, T]) };
    await assert.rejects(logitLens(model, two), /Cannot look at 2 sequences/);
    await assert.rejects(logitLens(model, input, { targets: [1] }), /13 places by 1 targets/);
  });

  Deno.test(`tuned lens, ${family}: closer to the end than the plain lens, on text it was not taught`, async () => {
    const batch = (seed: number): LensBatch => ({ ids: model.ids(idsOf(5 * T, seed), [5, T]) });
    const before = await device.read(...model.parameters);
    const heard: number[] = [];
    const lens = await trainTunedLens(model, (n) => batch(n + 1), {
      steps: 60,
      learningRate: 3e-3,
      onStep: (step, kl) => {
        heard.push(step);
        assert.equal(kl.length, L);
      },
    });
    assert.deepEqual(heard, [0, 10, 20, 30, 40, 50, 59]);
    const heldOut = [201, 202].map((seed) => () => batch(seed));
    const plain = await lensDivergence(model, heldOut);
    const tuned = await lensDivergence(model, heldOut, { lens });
    tuned.forEach((kl, l) =>
      assert.ok(kl < 0.7 * plain[l], `layer ${l}: ${kl}, plainly ${plain[l]}`)
    );
    assert.deepEqual(await device.read(...model.parameters), before);
    assert.ok(model.parameters.every(({ frozen }) => !frozen));

    // The two ways to look say the same.
    const [rows, bare] = [
      await logitLens(model, input, { tuned: lens }),
      await logitLens(model, input),
    ];
    const own = await lensDivergence(model, [() => input], { lens });
    rows.slice(0, L).forEach(({ cells }, l) => {
      const mean = cells.reduce((sum, { klToFinal }) => sum + klToFinal, 0) / T;
      assert.ok(Math.abs(mean - own[l]) < 1e-5, `layer ${l}: ${mean} and ${own[l]}`);
    });
    assert.deepEqual(rows[L], bare[L]);

    const directory = await Deno.makeTempDir();
    try {
      const path = `${directory}/lens.safetensors`;
      await lens.save(path);
      assert.deepEqual(await logitLens(model, input, { tuned: loadTunedLens(model, path) }), rows);
      assert.throws(
        () => loadTunedLens(make(2), path),
        /it was not trained for a model of 2 layers and 24 channels/,
      );
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });

  Deno.test(`tuned lens, ${family}: untaught it is the plain lens; places that do not count are left out`, async () => {
    const lens = new TunedLens(model);
    assert.deepEqual(await logitLens(model, input, { tuned: lens }), await logitLens(model, input));
    const rows = await logitLens(model, input);
    const places = [2, 5, 11];
    const some = await lensDivergence(model, [() => ({
      ...input,
      places: device.upload(Uint32Array.from(places)),
    })]);
    some.forEach((kl, l) => {
      const mean = places.reduce((sum, t) => sum + rows[l].cells[t].klToFinal, 0) / places.length;
      assert.ok(Math.abs(kl - mean) < 1e-5, `${kl} and ${mean}`);
    });
  });
}

Deno.test("a tuned lens whose training was stopped ends with the same numbers", async () => {
  const model = families.GPT(L);
  const folder = Deno.makeTempDirSync();
  const checkpoint = `${folder}/x.safetensors.part`;
  const batchAt = (n: number): LensBatch => ({ ids: model.ids(idsOf(2 * T, n), [2, T]) });
  const options = { steps: 25, learningRate: 3e-3, checkpoint, about: "a text" };
  const whole = await trainTunedLens(model, batchAt, { ...options, checkpoint: undefined });
  const stop = new AbortController();
  await trainTunedLens(model, batchAt, {
    ...options,
    signal: stop.signal,
    onStep: (step) => step === 10 && stop.abort(),
  });
  const resume = { ...options, resume: true };
  await assert.rejects(trainTunedLens(model, batchAt, { ...resume, about: "another" }), {
    message: `Cannot go on from ${checkpoint}: it was begun with other steps, rates or text`,
  });
  let begun = 0;
  const lens = await trainTunedLens(model, batchAt, { ...resume, onStart: (s) => begun = s });
  assert.equal(begun, 11);
  const [a, b] = [whole, lens].map(({ parameters }) => device.read(...parameters));
  assert.deepEqual(await a, await b);
  Deno.removeSync(folder, { recursive: true });
});
