/**
 * A sparse autoencoder finds the dictionary that its rows were made of, and is what its formula says.
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomOf } from "../../src/data/random.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { Run } from "../../src/autograd/run.ts";
import { normals } from "../../src/models/initialize.ts";
import { SparseAutoencoder } from "../../src/probes/sae/sparse_autoencoder.ts";
import type { RowSource } from "../../src/probes/sae/row_buffer.ts";
import { measureFit } from "../../src/probes/sae/fit.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { type SaeReport, trainSparseAutoencoder } from "../../src/probes/sae/train.ts";
import { assertClose, numbers } from "../compare.ts";
import { topK } from "../reference/top_k.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const [C, DIRECTIONS, ACTIVE] = [21, 37, 3];

/** Directions of length one, more of them than dimensions. */
const dictionary = normals(DIRECTIONS * C, { deviation: 1, seed: 7, name: "dictionary" });
for (let d = 0; d < DIRECTIONS; d++) {
  const row = dictionary.subarray(d * C, (d + 1) * C);
  const length = Math.hypot(...row);
  row.forEach((v, c) => row[c] = v / length);
}

/** Rows that are a constant and three of the directions each, with weights from 0.5 to 1.5, and some noise. */
function sparseRows(seed: number, scale = 1): RowSource {
  let batches = 0;
  return {
    columns: C,
    next: (batch) => {
      const random = randomOf(seed, batches++);
      const noise = normals(batch * C, { deviation: 0.02, seed: seed + batches, name: "noise" });
      for (let row = 0; row < batch * C; row += C) {
        for (let c = 0; c < C; c++) noise[row + c] += 0.3;
        for (let i = 0; i < ACTIVE; i++) {
          const from = Math.floor(random() * DIRECTIONS) * C;
          const weight = 0.5 + random();
          for (let c = 0; c < C; c++) noise[row + c] += weight * dictionary[from + c];
        }
      }
      return device.upload(noise.map((v) => v * scale), [batch, C]);
    },
  };
}

/** The greatest cosine of a direction with any row of W_dec, and their mean. */
function cosines(decoder: Float32Array): number[] {
  return Array.from({ length: DIRECTIONS }, (_, d) => {
    let best = -1;
    for (let f = 0; f < decoder.length; f += C) {
      let product = 0;
      for (let c = 0; c < C; c++) product += decoder[f + c] * dictionary[d * C + c];
      best = Math.max(best, product);
    }
    return best;
  });
}

/** Trained once, on rows far from length one. */
const reports: SaeReport[] = [];
const sae = await trainSparseAutoencoder(sparseRows(3, 50), {
  features: 61,
  k: ACTIVE,
  steps: 320,
  batch: 256,
  deadAfter: 20_000,
  hook: "blocks.0.hook_resid_post",
  onReport: (report) => reports.push(report),
});

Deno.test("a known dictionary is found again", async () => {
  const decoder = await sae.decoder.read() as Float32Array;
  const found = cosines(decoder);
  const mean = found.reduce((sum, c) => sum + c, 0) / DIRECTIONS;
  assert.ok(mean > 0.95, `mean of the greatest cosines: ${mean}`);
  const fresh = cosines(normals(61 * C, { deviation: 1 / Math.sqrt(C), seed: 0, name: "W_dec" }));
  assert.ok(fresh.every((c, d) => c < found[d]), "random directions are no closer");
  for (let f = 0; f < decoder.length; f += C) {
    assert.ok(Math.abs(Math.hypot(...decoder.subarray(f, f + C)) - 1) < 1e-5);
  }
  assert.deepEqual(reports.map(({ step }) => step), [
    ...Array.from({ length: 12 }, (_, i) => 25 * (i + 1)),
    320,
  ]);
  assert.ok(reports.at(-1)!.loss < 0.5 * reports[0].loss);
});

Deno.test("fraction of variance, L0 and dead features are those of float64", async () => {
  const batches = Array.from({ length: 3 }, (_, i) => sparseRows(100 + i, 50).next(29));
  const rows = await Promise.all(batches.map((x) => x.read())) as Float32Array[];
  const fit = await measureFit(sae, batches);
  const [encoder, encoderBias, decoder, decoderBias] = await device.read(...sae.parameters);
  const x = Float64Array.from(rows.flatMap((data) => [...data]));
  const before = Float64Array.from({ length: 87 * 61 }, (_, i) => {
    let sum = encoderBias[i % 61];
    for (let c = 0; c < C; c++) sum += x[Math.floor(i / 61) * C + c] * encoder[c * 61 + i % 61];
    return sum;
  });
  const z = topK(before, 61, ACTIVE);
  const mean = Array.from({ length: C }, (_, c) => {
    let sum = 0;
    for (let r = 0; r < 87; r++) sum += x[r * C + c];
    return sum / 87;
  });
  let [error, spread] = [0, 0];
  x.forEach((v, i) => {
    let out = decoderBias[i % C];
    for (let f = 0; f < 61; f++) out += z[Math.floor(i / C) * 61 + f] * decoder[f * C + i % C];
    error += (v - out) ** 2;
    spread += (v - mean[i % C]) ** 2;
  });
  const fires = Array.from({ length: 61 }, (_, f) => z.filter((v, i) => i % 61 === f && v > 0));
  assert.ok(Math.abs(fit.fractionOfVariance - (1 - error / spread)) < 1e-6);
  assert.ok(fit.fractionOfVariance > 0.8, `${fit.fractionOfVariance}`);
  assert.equal(fit.l0, z.filter((v) => v > 0).length / 87);
  assert.equal(fit.dead, fires.filter((values) => values.length === 0).length);
  assertClose(fit.frequencies, fires.map((values) => values.length / 87), {
    bound: 1e-12,
    label: "frequencies",
  });
  const means = fires.map((v) => v.length === 0 ? 0 : v.reduce((a, b) => a + b) / v.length);
  assertClose(fit.means, means, { bound: 1e-5, label: "means" });
});

Deno.test("AuxK pulls at features that fire no longer, which nothing else does", async () => {
  const F = 40;
  const dead = (f: number) => f >= F / 2;
  // Half are always among the three largest, and half never, though not far from it.
  const parts: Record<string, Float32Array<ArrayBuffer>> = {
    W_dec: Float32Array.from({ length: F * C }, (_, i) => dictionary[i % dictionary.length]),
    W_enc: new Float32Array(C * F),
    b_enc: Float32Array.from({ length: F }, (_, f) => dead(f) ? -1.1 : 1),
    b_dec: new Float32Array(C).fill(0.3),
  };
  parts.W_dec.forEach((v, i) => parts.W_enc[i % C * F + Math.floor(i / C)] = v);
  const moves = async (auxiliary: number) => {
    const config = { channels: C, features: F, k: ACTIVE, hook: "" };
    const from = new SparseAutoencoder(device, config, (name) => parts[name]);
    const options = { steps: 24, batch: 128, deadAfter: 256, reportEvery: 2, auxiliary };
    let last: SaeReport;
    await trainSparseAutoencoder(sparseRows(5), {
      ...config,
      ...options,
      from,
      learningRate: 0.002,
      onReport: (report) => last = report,
    });
    assert.equal(last!.dead, F / 2);
    const bias = await from.encoderBias.read();
    return Array.from(bias, (b, f) => b - parts.b_enc[f]).filter((_, f) => dead(f));
  };
  const [without, withAux] = [await moves(0), await moves(1 / 32)];
  const silent = [...without.keys()].filter((f) => Math.abs(without[f]) < 1e-6);
  assert.ok(silent.length >= F / 4, `${silent.length} never fired`);
  const pulled = silent.filter((f) => Math.abs(withAux[f]) > 1e-3);
  assert.ok(
    pulled.length > silent.length / 2,
    `${pulled.length} of ${silent.length} are pulled at: ${
      silent.map((f) => withAux[f].toFixed(4))
    }`,
  );
});

Deno.test("it is written and read again, and something else is refused", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/sae.safetensors`;
  await sae.save(path);
  const again = SparseAutoencoder.load(device, path);
  assert.deepEqual(again.config, sae.config);
  using _scope = device.scope();
  const x = device.upload(numbers(29 * C, 5), [29, C]);
  const run = new Run(device);
  const [one, other] = await device.read(sae.reconstruct(run, x), again.reconstruct(run, x));
  assert.deepEqual(one, other);
  await writeSafetensors(path, [
    { name: "a", shape: [1], dtype: "F32", data: new Float32Array(1) },
  ]);
  assert.throws(() => SparseAutoencoder.load(device, path), /Cannot read a sparse autoencoder/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("sizes that make no sense are refused, and rows that do not vary", async () => {
  const config = { channels: 5, features: 3, k: 4, hook: "" };
  assert.throws(() => new SparseAutoencoder(device, config), /keeps 4 of 3 features/);
  assert.throws(() => new SparseAutoencoder(device, { ...config, k: 0 }), /with k 0/);
  const same: RowSource = { columns: 5, next: (batch) => device.zeros([batch, 5]) };
  await assert.rejects(
    trainSparseAutoencoder(same, { features: 7, k: 2, steps: 1 }),
    /whose variance is 0: wanted finite ones that differ/,
  );
});

Deno.test("a training that is stopped gives what was learnt so far", async () => {
  const stop = new AbortController();
  const steps: number[] = [];
  const early = await trainSparseAutoencoder(sparseRows(3), {
    features: 61,
    k: ACTIVE,
    steps: 90,
    batch: 64,
    reportEvery: 10,
    signal: stop.signal,
    onReport: ({ step }) => {
      steps.push(step);
      if (step === 20) stop.abort();
    },
  });
  assert.deepEqual(steps, [10, 20]);
  assert.ok((await early.decoder.read()).every(Number.isFinite));
});
