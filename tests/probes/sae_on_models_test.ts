/**
 * Sparse autoencoders on the hook points of both models: what is read there, what splicing does to the
 * loss, and that examples and promoted tokens are what they are said to be.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  activationsAt,
  Bert,
  createBertConfig,
  createGptConfig,
  examineSae,
  Gpt,
  matchHooks,
  middleHook,
  openDevice,
  ProbeSubject,
  runWithCache,
  SparseAutoencoder,
  spliced,
  splicedLosses,
  splitWindows,
  TokenWindows,
  trainBytePairTokenizer,
  trainOnModel,
  trainWordPieceTokenizer,
} from "../../mod.ts";
import { Run } from "../../src/autograd/run.ts";
import { saePage } from "../../src/probes/sae/page.ts";
import { probePage } from "../../src/probes/probe_page.ts";
import { assertClose } from "../compare.ts";

const TEXT =
  "The hungry sparrow singing behind the river waited for the sleeping dogs of the house. " +
  "A river of dogs slept, and the sparrow sang of rain. ";
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const [C, T] = [36, 13];
const size = { contextLength: T, channels: C, layers: 2, heads: 3 };
const bytePairs = await trainBytePairTokenizer([TEXT.repeat(3)], { vocabularySize: 293 });
const wordPieces = await trainWordPieceTokenizer([TEXT.repeat(3)], { vocabularySize: 97 });
const strong = { initializerRange: 0.3 };
const subjects = {
  GPT: new ProbeSubject(
    new Gpt(device, {
      ...createGptConfig({ ...size, vocabularySize: bytePairs.vocabularySize }),
      ...strong,
    }),
    bytePairs,
  ),
  BERT: new ProbeSubject(
    new Bert(
      device,
      createBertConfig({ ...size, vocabularySize: wordPieces.vocabularySize }, strong),
      { heads: { kind: "pretraining" } },
    ),
    wordPieces,
  ),
};

/** An autoencoder that changes nothing: each channel has a feature for either sign. */
function exact(hook: string, columns: number): SparseAutoencoder {
  const features = 2 * columns;
  const signs = new Float32Array(features * columns);
  for (let f = 0; f < features; f++) signs[f * columns + f % columns] = f < columns ? 1 : -1;
  const transposed = signs.map((_, i) =>
    signs[(i % features) * columns + Math.floor(i / features)]
  );
  return new SparseAutoencoder(
    device,
    { channels: columns, features, k: features, hook },
    (name, shape) =>
      name === "W_dec" ? signs : name === "W_enc" ? transposed : new Float32Array(shape[0]),
  );
}

for (const [family, subject] of Object.entries(subjects)) {
  const { model, tokenizer } = subject;
  const ids = tokenizer.encode(TEXT.repeat(6));
  const text = new TokenWindows(subject, ids, { seed: 3 });
  const { train, held } = splitWindows(text);

  Deno.test(`${family}: windows cut the text once, and ask as the model was trained`, async () => {
    const room = family === "BERT" ? T - 2 : T;
    const own = Array.from({ length: text.count }, (_, n) => {
      const window = text.ids(n);
      assert.equal(window.length, T);
      if (family === "GPT") return [...window].join();
      assert.deepEqual(
        [window[0], window[T - 1]],
        ["[CLS]", "[SEP]"].map((t) => tokenizer.tokenToId(t)),
      );
      return [...window.subarray(1, T - 1)].join();
    });
    const cut = Array.from(
      { length: text.count },
      (_, n) => [...ids.subarray(n * room, (n + 1) * room)].join(),
    );
    assert.deepEqual(own.toSorted(), cut.toSorted());
    assert.notDeepEqual(own, cut);
    assert.deepEqual([...held, ...train].toSorted((a, b) => a - b), [...Array(text.count).keys()]);
    using _scope = device.scope();
    const { input, targets } = text.batch([1, 4]);
    const [read, asked] = await device.read(input.ids, targets);
    const plain = [...text.ids(1), ...text.ids(4)];
    if (family === "GPT") {
      assert.deepEqual([...read], plain);
      const inside = Array.from({ length: T - 1 }, (_, i) => i);
      assert.deepEqual(inside.map((i) => asked[i]), inside.map((i) => plain[i + 1]));
    } else {
      const places = [...asked.keys()].filter((i) => asked[i] !== -100);
      // 15 % of eleven tokens, in each of two windows.
      assert.equal(places.length, 4);
      places.forEach((i) => assert.equal(asked[i], plain[i]));
      read.forEach((id, i) => assert.ok(places.includes(i) || id === plain[i]));
    }
  });

  for (const hook of [middleHook(subject), "blocks.1.attn.hook_z", "blocks.0.mlp.hook_post"]) {
    Deno.test(`${family}: rows at ${hook} are the cache's, and an exact splice changes no loss`, async () => {
      using _scope = device.scope();
      const input = text.plain([2, 0, 5]);
      const rows = activationsAt(model, input, hook);
      const { cache } = runWithCache(model, input, { names: hook });
      using _cache = cache;
      const [found, wanted] = [await rows.read(), (await cache.read()).get(hook)!.data];
      assert.deepEqual([...found], [...wanted]);
      assert.equal(rows.shape[0], 3 * T);
      const sae = exact(hook, rows.shape[1]);
      const back = spliced(sae)(cache.get(hook), hook)!;
      assert.deepEqual(back.shape, cache.get(hook).shape);
      const losses = await splicedLosses(model, sae, [
        () => text.batch([0, 1]),
        () => text.batch([2]),
      ]);
      assert.ok(Math.abs(losses.spliced - losses.clean) < 1e-5, JSON.stringify(losses));
      assert.ok(Math.abs(losses.zero - losses.clean) > 1e-3, JSON.stringify(losses));
      assert.ok(Math.abs(losses.recovered - 1) < 1e-2);
      assert.equal(losses.tokens, family === "GPT" ? 3 * T : 6);
    });
  }

  Deno.test(`${family}: attention patterns have no row for each place`, () => {
    using _scope = device.scope();
    assert.throws(
      () => activationsAt(model, text.plain([0]), "blocks.0.attn.hook_pattern"),
      /Cannot read rows at blocks\.0\.attn\.hook_pattern/,
    );
  });

  Deno.test(`${family}: trained, its examples hold what the features are there`, async () => {
    const hook = middleHook(subject);
    assert.equal(matchHooks(hook, [hook])[0], hook);
    const options = { features: 83, k: 5, steps: 60, batch: 104, hook, windows: train };
    const sae = await trainOnModel(subject, text, options);
    const shown = { text, windows: held, count: 10, examples: 2, context: 3, batch: 2 };
    const findings = await examineSae(subject, sae, shown);
    const { fit, losses, features } = findings;
    assert.ok(fit.fractionOfVariance > 0.5, `${fit.fractionOfVariance}`);
    assert.equal(fit.rows, held.length * T);
    assert.ok(fit.l0 <= 5 && fit.l0 > 1);
    assert.ok(losses!.tokens > 0);
    assert.equal(features.length, 10);
    using _scope = device.scope();
    const rows = activationsAt(model, text.plain(held), hook);
    const z = await sae.encode(new Run(device), rows).read();
    const tokens = held.flatMap((window) => [...text.ids(window)].map((id) => subject.token(id)));
    for (const { feature, examples, frequency } of features) {
      const own = Array.from(tokens, (_, i) => z[i * 83 + feature]);
      assert.equal(frequency, own.filter((v) => v > 0).length / own.length);
      const best = Math.max(...own);
      const { at, values, tokens: around } = examples[0];
      assert.ok(Math.abs(values[at] - best) < 1e-4 * best, `${values[at]} ${best}`);
      assert.equal(around[at], tokens[own.indexOf(best)]);
      assert.ok(values.every((v) => v <= values[at]));
      assert.ok(around.length <= 7);
    }
    const page = probePage(saePage({ sae, reports: [], ...findings }));
    for (const { feature } of features) assert.ok(page.includes(`<h2>Feature ${feature}</h2>`));
    if (family === "BERT") return assert.equal(features[0].promoted, undefined);
    const named = (name: string) => model.parameters.find((p) => p.name === name)!;
    const [gain, table, decoder] = await device.read(
      named("transformer.ln_f.weight"),
      named("transformer.wte.weight"),
      sae.decoder,
    );
    const { feature, promoted, suppressed } = features[0];
    const direction = Float64Array.from(decoder.subarray(feature * C, (feature + 1) * C));
    const mean = direction.reduce((sum, v) => sum + v, 0) / C;
    const weights = Array.from(
      { length: table.length / C },
      (_, id) => direction.reduce((sum, v, c) => sum + (v - mean) * gain[c] * table[id * C + c], 0),
    );
    const sorted = weights.toSorted((a, b) => b - a);
    assertClose(promoted!.map(({ weight }) => weight), sorted.slice(0, 8), {
      bound: 1e-5,
      label: "for",
    });
    assertClose(suppressed!.map(({ weight }) => weight), sorted.slice(-8).reverse(), {
      bound: 1e-5,
      label: "against",
    });
  });
}

Deno.test("a text that fills no window, or one alone, is refused", () => {
  const { GPT } = subjects;
  assert.throws(() => new TokenWindows(GPT, new Uint32Array(T)), /Cannot cut 13 tokens/);
  const one = new TokenWindows(GPT, new Uint32Array(T + 1));
  assert.throws(() => splitWindows(one), /fills one alone/);
});
