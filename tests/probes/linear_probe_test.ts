/** Linear probes: against float64, what is decodable and what is not, control tasks, both families. @module */

import assert from "node:assert/strict";
import { Bert, createBertConfig, createGptConfig, Gpt, openDevice } from "../../mod.ts";
import { randomOf, shuffle } from "../../src/data/random.ts";
import { controlLabels } from "../../src/data/tags/control_tags.ts";
import { collectFeatures, residualPoints } from "../../src/probes/linear/features.ts";
import { predictLabels, trainLinearProbes } from "../../src/probes/linear/linear_probe.ts";
import { agreement, type ProbeExamples, probeLayers } from "../../src/probes/linear/layers.ts";
import { runWithCache } from "../../src/probes/run_with_hooks.ts";
import { normals } from "../../src/models/initialize.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const N = 331;
const C = 13;
const K = 3;

/** Rows of normal numbers. */
function rows(count: number, name: string): Float32Array<ArrayBuffer> {
  return normals(count * C, { deviation: 1, seed: 3, name });
}

/** For each row, which of K directions it points to most: a label that a line can find. */
function linearLabels(x: Float32Array): Int32Array {
  const directions = rows(K, "directions");
  return Int32Array.from({ length: x.length / C }, (_, i) => {
    const heights = Array.from({ length: K }, (_, k) => {
      let sum = 0;
      for (let c = 0; c < C; c++) sum += x[i * C + c] * directions[k * C + c];
      return sum;
    });
    return heights.indexOf(Math.max(...heights));
  });
}

/** Whether the first two numbers have one sign: as clear a label, and no line finds it. */
function quadrantLabels(x: Float32Array): Int32Array {
  return Int32Array.from({ length: x.length / C }, (_, i) => x[i * C] * x[i * C + 1] > 0 ? 1 : 0);
}

/** The same training in float64: softmax regression by AdamW (Loshchilov & Hutter 2019, algorithm 2). */
function reference(
  x: Float32Array,
  labels: Int32Array,
  { steps, batch, lr, decay, seed }: Record<"steps" | "batch" | "lr" | "decay" | "seed", number>,
): Float64Array {
  const size = C * K + K;
  const [w, m, v] = [0, 0, 0].map(() => new Float64Array(size));
  const order = Uint32Array.from({ length: N }, (_, i) => i);
  const epoch = Math.ceil(N / batch);
  for (let step = 0; step < steps; step++) {
    if (step % epoch === 0) shuffle(order, randomOf(seed, step / epoch));
    const chosen = order.subarray((step % epoch) * batch, (step % epoch + 1) * batch);
    const g = new Float64Array(size);
    for (const i of chosen) {
      const z = Array.from({ length: K }, (_, k) => {
        let sum = w[C * K + k];
        for (let c = 0; c < C; c++) sum += x[i * C + c] * w[c * K + k];
        return Math.exp(sum);
      });
      const total = z.reduce((a, b) => a + b, 0);
      z.forEach((e, k) => {
        const d = (e / total - (k === labels[i] ? 1 : 0)) / chosen.length;
        for (let c = 0; c < C; c++) g[c * K + k] += x[i * C + c] * d;
        g[C * K + k] += d;
      });
    }
    const rate = lr * (1 - step / steps);
    for (let j = 0; j < size; j++) {
      m[j] = 0.9 * m[j] + 0.1 * g[j];
      v[j] = 0.999 * v[j] + 0.001 * g[j] ** 2;
      const mean = m[j] / (1 - 0.9 ** (step + 1));
      const square = v[j] / (1 - 0.999 ** (step + 1));
      w[j] -= rate * (mean / (Math.sqrt(square) + 1e-8) + (j < C * K ? decay * w[j] : 0));
    }
  }
  return w;
}

Deno.test("weights are those of the same training in float64, one probe beside others or alone", async () => {
  const x = rows(N, "train");
  const features = device.upload(x, [N, C]);
  const labels = linearLabels(x);
  const training = { steps: 22, batch: 64, learningRate: 0.05, weightDecay: 0.1, seed: 7 };
  const task = { features, labels, classes: K };
  const probes = trainLinearProbes([
    { features, labels: quadrantLabels(x), classes: 2 },
    task,
  ], training);
  const [alone] = trainLinearProbes([task], training);
  const want = reference(x, labels, { steps: 22, batch: 64, lr: 0.05, decay: 0.1, seed: 7 });
  const [weight, bias] = await device.read(probes[1].weight, probes[1].bias);
  [...weight, ...bias].forEach((value, i) => {
    assert.ok(Math.abs(value - want[i]) < 1e-4, `${i}: ${value}, wanted ${want[i]}`);
  });
  assert.deepEqual(await alone.weight.read(), weight);
  for (const probe of [...probes, alone]) probe[Symbol.dispose]();
});

Deno.test("a label on one side of a plane is found in rows held out, one in quadrants is not", async () => {
  const [train, heldOut] = [rows(2000, "many"), rows(1000, "others")];
  const features = device.upload(train, [2000, C]);
  const probes = trainLinearProbes([
    { features, labels: linearLabels(train), classes: K },
    { features, labels: quadrantLabels(train), classes: 2 },
  ], { steps: 200, learningRate: 0.05 });
  const held = device.upload(heldOut, [1000, C]);
  const [linear, quadrant] = await predictLabels(
    probes.map((probe) => ({ probe, features: held })),
  );
  assert.ok(agreement(linear, linearLabels(heldOut)) > 0.97);
  // Guessing is right 500 ± 16 times of 1000.
  assert.ok(Math.abs(agreement(quadrant, quadrantLabels(heldOut)) - 0.5) < 0.064);
  for (const probe of probes) probe[Symbol.dispose]();
});

Deno.test("training refuses labels and batches that make no sense, and says which", () => {
  const features = device.zeros([2, C]);
  const refuses = (labels: number[], batch: number, message: RegExp) =>
    assert.throws(() => trainLinearProbes([{ features, labels, classes: 2 }], { batch }), message);
  refuses([0, 2], 64, /row 1 has the label 2; wanted 0 to 1/);
  refuses([0], 64, /features \(2, 13\) have 1 labels; wanted \(1, C\) and 1/);
  refuses([0, 1], 100, /the batch is 100 rows; wanted a multiple of 64/);
});

Deno.test("the control task gives a type one label on both sides, drawn as often as labels occur", () => {
  const types = Array.from({ length: 6000 }, (_, i) => `w${i % 3000}`);
  const labels = Int32Array.from(types, (_, i) => i % 10 < 7 ? 2 : i % 10 < 9 ? 0 : 3);
  const held = { types: ["w5", "w17", "new", "w5"], labels: [0, 0, 0, 0] };
  const found = controlLabels({ train: { types, labels }, heldOut: held }, { classes: 4, seed: 5 });
  assert.deepEqual(found.train.subarray(0, 3000), found.train.subarray(3000));
  assert.equal(found.heldOut[0], found.train[5]);
  assert.equal(found.heldOut[1], found.train[17]);
  assert.equal(found.heldOut[3], found.heldOut[0]);
  assert.equal(found.seen, 0.75);
  const share = (label: number) => found.train.filter((l) => l === label).length / 6000;
  [0.2, 0, 0.7, 0.1].forEach((p, label) => {
    const deviation = Math.sqrt(p * (1 - p) / 3000);
    assert.ok(Math.abs(share(label) - p) <= 4 * deviation, `${label}: ${share(label)}`);
  });
});

const V = 9;
const size = { vocabularySize: V, contextLength: 11, channels: 24, layers: 2, heads: 2 };
const models = {
  GPT: new Gpt(device, createGptConfig(size)),
  BERT: new Bert(device, createBertConfig(size), { heads: { kind: "none" } }),
};

/** Random sequences of 3 to 11 tokens, all places asked; the label is a function of tokens around. */
function examples(count: number, seed: number, label: (ids: Uint32Array, t: number) => number) {
  const random = randomOf(seed);
  const sequences = Array.from({ length: count }, () => {
    const length = 3 + Math.floor(random() * 9);
    const ids = Uint32Array.from({ length }, () => 1 + Math.floor(random() * (V - 1)));
    return { ids, places: Uint32Array.from(ids.keys()) };
  });
  const each = <T>(of: (ids: Uint32Array, t: number) => T) =>
    sequences.flatMap(({ ids }) => Array.from(ids.keys(), (t) => of(ids, t)));
  return {
    sequences,
    labels: Int32Array.from(each(label)),
    types: each((ids, t) => `${ids[t]}`),
  } satisfies ProbeExamples;
}

for (const [family, model] of Object.entries(models)) {
  Deno.test(`${family}: features are the rows of a cache, padded or not, or their means`, async () => {
    const points = residualPoints(model);
    const ids = (length: number) => Uint32Array.from({ length }, (_, t) => 1 + t * 5 % (V - 1));
    const sequences = [
      { ids: ids(9), places: Uint32Array.of(0, 4, 8) },
      { ids: ids(11), places: Uint32Array.of(10) },
      { ids: ids(3), places: Uint32Array.of(1, 2) },
    ];
    const got = await Promise.all(
      (["places", "mean"] as const).map(async (pooling) => {
        const features = collectFeatures(model, sequences, { points, pooling, batch: 2 });
        const numbers = await device.read(...features.values());
        for (const { buffer } of features.values()) device.pool.release(buffer);
        assert.deepEqual([...features.keys()], points);
        return numbers;
      }),
    );
    let row = 0;
    for (const [s, { ids, places }] of sequences.entries()) {
      const single = new Map<string, Float32Array>();
      const run = { ids: model.ids(ids) };
      if (model instanceof Gpt) {
        const { cache } = runWithCache(model, run, { names: points });
        for (const [name, { data }] of await cache.read()) single.set(name, data);
        cache[Symbol.dispose]();
      } else {
        // Without a head there are no logits, but features all the same: each place by itself.
        for (const name of points) {
          const all = { ids, places: Uint32Array.from(ids.keys()) };
          const features = collectFeatures(model, [all], { points: name });
          single.set(name, await features.get(name)!.read() as Float32Array);
        }
      }
      points.forEach((name, p) => {
        const data = single.get(name)!;
        for (let c = 0; c < 24; c++) {
          let mean = 0;
          places.forEach((t, i) => {
            const want = data[t * 24 + c];
            const found = got[0][p][(row + i) * 24 + c];
            assert.ok(Math.abs(found - want) < 2e-5, `${name} ${s} ${t} ${c}: ${found}, ${want}`);
            mean += want / places.length;
          });
          assert.ok(Math.abs(got[1][p][s * 24 + c] - mean) < 2e-5, `${name} mean of ${s}`);
        }
      });
      row += places.length;
    }
  });

  Deno.test(`${family}: a function of the token is found at once, one drawn from a hat nowhere`, async () => {
    const before = device.pool.memory.liveBytes;
    const random = randomOf(77);
    const coin = () => random() < 0.5 ? 0 : 1;
    const parity = (ids: Uint32Array, t: number) => ids[t] % 2;
    for (const [label, found] of [[parity, 1], [coin, 0.5]] as const) {
      const question = {
        train: examples(300, 1, label),
        heldOut: examples(150, 2, label),
        classes: 2,
      };
      const count = question.heldOut.labels.length;
      const { layers, seen } = await probeLayers(model, question, {
        steps: 150,
        learningRate: 0.05,
        featureBytes: 1,
      });
      assert.equal(seen, 1);
      assert.deepEqual(layers.map(({ point }) => point), residualPoints(model));
      for (const { point, accuracy, control, selectivity, confusion } of layers) {
        const spread = found === 1 ? 0.02 : 4 * 0.5 / Math.sqrt(count);
        assert.ok(Math.abs(accuracy - found) < spread, `${point}: ${accuracy}, wanted ${found}`);
        // Eight types are few enough to be learnt by heart: no probe can be selective.
        assert.ok(control > 0.98, `${point}: control ${control}`);
        assert.equal(selectivity, accuracy - control);
        assert.equal(confusion.flat().reduce((a, b) => a + b, 0), count);
        assert.ok(Math.abs((confusion[0][0] + confusion[1][1]) / count - accuracy) < 1e-12);
      }
    }
    // What remains is what the optimizer measures norms with.
    assert.ok(device.pool.memory.liveBytes - before < 100_000);
  });
}

Deno.test("what the token before was, no embedding tells", async () => {
  const random = randomOf(9);
  const label = (ids: Uint32Array, t: number) =>
    (t > 0 ? ids[t - 1] : Math.floor(random() * 2)) % 2;
  const question = { train: examples(300, 3, label), heldOut: examples(150, 4, label), classes: 2 };
  const { layers } = await probeLayers(models.GPT, question, {
    points: "blocks.0.hook_resid_pre",
    steps: 100,
  });
  const count = question.heldOut.labels.length;
  assert.ok(Math.abs(layers[0].accuracy - 0.5) < 0.06, `${layers[0].accuracy} of ${count}`);
});
