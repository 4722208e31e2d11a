/**
 * Every kernel with a loop, on rows so long and so many that llvmpipe would end a loop over them: it lets
 * the loops of one invocation make 65,535 rounds together, and ends them then without a word.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { attention } from "../../src/kernels/attention.ts";
import { attentionDecode, decodeAppend, decodeCache } from "../../src/kernels/attention_decode.ts";
import {
  attentionMix,
  attentionMixTransposed,
  attentionScores,
  whole,
} from "../../src/kernels/attention_pattern.ts";
import { columnSum, normalizedColumnSums } from "../../src/kernels/column_sum.ts";
import {
  countTargets,
  crossEntropy,
  crossEntropyBackward,
} from "../../src/kernels/cross_entropy.ts";
import { createGradientNorm } from "../../src/kernels/gradient_norm.ts";
import { klDivergence, klDivergenceBackward } from "../../src/kernels/kl_divergence.ts";
import { addNorm, layerNorm, layerNormBackward } from "../../src/kernels/layer_norm.ts";
import { linearRow, rowWeight } from "../../src/kernels/linear_row.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import {
  divideRows,
  divideRowsBackward,
  normScale,
  normScaleBackward,
} from "../../src/kernels/norm_parts.ts";
import { pointwiseLoss, pointwiseLossBackward } from "../../src/kernels/pointwise_loss.ts";
import { quantizedMatmul, unpackMatrix, uploadPacked } from "../../src/kernels/quantized.ts";
import { sample } from "../../src/kernels/sample.ts";
import { softmax, softmaxBackward } from "../../src/kernels/softmax.ts";
import { topK, updateAges } from "../../src/kernels/top_k.ts";
import { normalizeRows, projectRows } from "../../src/kernels/unit_rows.ts";
import { packMatrix } from "../../src/formats/quantized_matrix.ts";
import { assertClose, numbers, relativeError } from "../compare.ts";
import * as crossEntropies from "../reference/cross_entropy.ts";
import { columnSum as columnSumReference } from "../reference/column_sum.ts";
import * as divergences from "../reference/kl_divergence.ts";
import * as norms from "../reference/layer_norm.ts";
import { matmul as matmulReference } from "../reference/matmul.ts";
import * as parts from "../reference/norm_parts.ts";
import * as pointwise from "../reference/pointwise_loss.ts";
import * as softmaxes from "../reference/softmax.ts";
import { draw, probabilities, sampleUniform } from "../reference/sample.ts";
import { topK as topKReference } from "../reference/top_k.ts";
import { openDevices, upload } from "./devices.ts";

/** Ten times what was measured, at sums of 70,000 numbers that nearly cancel. */
const BOUND = 7e-5;

/** Rows and columns: as vectors of four and not. */
const SHAPES = [[70_000, 4], [70_001, 3], [2, 70_000], [2, 70_001]];

/** What a kernel found beside what is right. */
type Found = [label: string, found: Tensor, expected: ArrayLike<number>][];

/** One kernel's work on a matrix of random numbers `x`, which lies on the device as `xs`. */
type Check = (given: {
  device: Device;
  rows: number;
  columns: number;
  x: Float32Array<ArrayBuffer>;
  xs: Tensor;
  /** Other numbers of so many elements, on the host and on the device. */
  other: (
    seed: number,
    shape: readonly number[],
  ) => { host: Float32Array<ArrayBuffer>; tensor: Tensor };
}) => Found;

const epsilon = 1e-5;

const CHECKS: Record<string, Check> = {
  softmax({ rows, columns, x, xs, other }) {
    const d = other(2, [rows, columns]);
    const out = softmax(xs);
    const expected = softmaxes.softmax(x, columns);
    const back = softmaxes.softmaxBackward(expected, d.host, columns);
    return [["out", out, expected], ["dX", softmaxBackward(out, d.tensor), back]];
  },
  "cross-entropy"({ device, rows, columns, x, xs }) {
    const targets = new Int32Array(rows).map((_, r) => r % 7 === 3 ? -100 : r * 31 % columns);
    const where = device.upload(targets);
    const saved = crossEntropy(xs, where);
    const dLogits = device.tensor(xs.shape);
    crossEntropyBackward(xs, where, { saved, scale: 1, dLogits });
    const counted = device.zeros([2]);
    countTargets(where, counted);
    const { mean, count, losses, logSumExp } = crossEntropies.crossEntropy(x, targets);
    return [
      ["losses", saved.losses, losses],
      ["log Σ exp", saved.logSumExp, logSumExp],
      ["mean", saved.result, [mean, count]],
      ["count", counted, [0, count]],
      ["dLogits", dLogits, crossEntropies.crossEntropyBackward(x, targets, 1)],
    ];
  },
  "Kullback-Leibler"({ device, rows, columns, x, xs, other }) {
    const teacher = other(2, [rows, columns]);
    const saved = klDivergence(xs, teacher.tensor);
    const dLogits = device.tensor(xs.shape);
    klDivergenceBackward(xs, teacher.tensor, { saved, scale: 0.5, dLogits });
    const scale = { rows, scale: 0.5 };
    return [
      ["losses", saved.losses, divergences.klDivergence(x, teacher.host, rows)],
      ["dLogits", dLogits, divergences.klDivergenceBackward(x, teacher.host, scale)],
    ];
  },
  "layer norm"({ device, rows, columns, x, xs, other }) {
    const [weight, bias] = [other(2, [columns]), other(3, [columns])];
    const d = other(4, [rows, columns]);
    const tensors = { weight: weight.tensor, bias: bias.tensor, epsilon };
    const saved = layerNorm(xs, tensors);
    const added = addNorm(xs, device.zeros(xs.shape), tensors);
    const dX = device.tensor(xs.shape);
    layerNormBackward(d.tensor, { ...saved, x: xs, weight: weight.tensor }, {
      dX,
      accumulate: false,
    });
    const { out } = norms.layerNorm(x, { weight: weight.host, bias: bias.host, epsilon });
    const back = norms.layerNormBackward(x, d.host, { weight: weight.host, epsilon });
    const targets = [0, 1].map(() => ({ tensor: device.tensor([columns]), accumulate: false }));
    normalizedColumnSums(d.tensor, { x: xs, ...saved }, { bias: targets[0], weight: targets[1] });
    return [
      ["out", saved.out, out],
      ["added", added.out, out],
      ["dX", dX, back.dX],
      ["dBias", targets[0].tensor, back.dBias],
      ["dWeight", targets[1].tensor, back.dWeight],
    ];
  },
  "layer norm in parts"({ rows, columns, x, xs, other }) {
    const d = other(2, [rows, columns]);
    const dScale = other(3, [rows, 1]);
    const scale = normScale(xs, { epsilon });
    const scales = parts.normScale(x, { columns, epsilon });
    const back = divideRowsBackward(xs, { scale, dOut: d.tensor });
    const expected = parts.divideRowsBackward(x, { columns, scale: scales, dOut: d.host });
    const options = { columns, scale: scales, dScale: dScale.host };
    return [
      ["scale", scale, scales],
      [
        "scale's dX",
        normScaleBackward(xs, { scale, dScale: dScale.tensor }),
        parts.normScaleBackward(x, options),
      ],
      ["out", divideRows(xs, { scale }), parts.divideRows(x, { columns, scale: scales })],
      ["dX", back.dX, expected.dX],
      ["dScale", back.dScale, expected.dScale],
    ];
  },
  "column sums"({ device, columns, x, xs }) {
    const out = device.zeros([columns]);
    columnSum(xs, out, { accumulate: false });
    return [["sums", out, columnSumReference(x, { columns })]];
  },
  "unit rows"({ device, rows, columns, x, xs, other }) {
    const slope = other(2, [rows, columns]);
    const unit = device.upload(x.slice(), [rows, columns]);
    normalizeRows(unit);
    projectRows(slope.tensor, unit);
    const expected = Float64Array.from(x);
    const across = Float64Array.from(slope.host);
    for (let row = 0; row < x.length; row += columns) {
      const [own, ownSlope] = [expected, across].map((a) => a.subarray(row, row + columns));
      const length = Math.sqrt(own.reduce((sum, v) => sum + v * v, 0));
      own.forEach((v, i) => own[i] = v / length);
      const along = own.reduce((sum, v, i) => sum + v * ownSlope[i], 0);
      ownSlope.forEach((v, i) => ownSlope[i] = v - along * own[i]);
    }
    void xs;
    return [["rows", unit, expected], ["gradient", slope.tensor, across]];
  },
  "top k"({ device, columns, x, xs }) {
    const k = Math.min(columns - 1, 50);
    const out = topK(xs, k);
    const age = device.zeros([columns], "u32");
    updateAges(out, age);
    const kept = topKReference(x, columns, k);
    const fired = new Float64Array(columns).fill(xs.shape[0]);
    kept.forEach((v, i) => v > 0 && (fired[i % columns] = 0));
    return [["out", out, kept], ["ages", age, fired]];
  },
  "pointwise loss"({ device, x, xs, other }) {
    const y = other(2, xs.shape);
    const result = pointwiseLoss(xs, y.tensor, "squared");
    const dX = device.tensor(xs.shape);
    pointwiseLossBackward(xs, y.tensor, { kind: "squared", result, scale: 1, dX });
    const { mean, count } = pointwise.pointwiseLoss(x, y.host, "squared");
    const back = pointwise.pointwiseLossBackward(x, y.host, { kind: "squared", scale: 1 });
    return [["mean", result, [mean, count]], ["dX", dX, back]];
  },
  "gradient norm"({ x, xs }) {
    const norm = createGradientNorm([{
      flat: xs,
      parts: [{ begin: 0, size: x.length }],
      indices: [0],
    }]);
    norm.compute(0);
    return [["norm", norm.sums, [x.reduce((sum, v) => sum + v * v, 0)]]];
  },
  matmul({ rows, columns, x, xs, other }) {
    // An inner dimension of either length, and of both orientations.
    const narrow = other(2, [columns, 5]);
    const wide = other(3, [rows, 5]);
    const shape = { m: rows, k: columns, n: 5 };
    const turned = { m: columns, k: rows, n: 5, transposeA: true };
    return [
      ["product", matmul(xs, narrow.tensor), matmulReference(x, narrow.host, shape)],
      [
        "transposed",
        matmul(xs, wide.tensor, { transposeA: true }),
        matmulReference(x, wide.host, turned),
      ],
    ];
  },
};

// What a graphics processor runs is bound by nothing, and is tested in the kernels' own files.
const [[, device]] = await openDevices();

for (const [kernel, check] of Object.entries(CHECKS)) {
  Deno.test(`${kernel}: 70,000 rows and 70,000 columns`, async () => {
    const wrong: string[] = [];
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      const x = numbers(rows * columns, 1).map((v) => 4 * v);
      const found = check({
        device,
        rows,
        columns,
        x,
        xs: upload(device, x, [rows, columns]),
        other: (seed, shape) => {
          const host = numbers(shape.reduce((a, b) => a * b), seed);
          return { host, tensor: upload(device, host, shape) };
        },
      });
      const read = await device.read(...found.map(([, tensor]) => tensor));
      found.forEach(([label, , expected], i) => {
        const off = relativeError(read[i], expected);
        const line = `${label} of ${rows}×${columns}: relative error ${off}`;
        if (!(off < BOUND)) wrong.push(line);
      });
    }
    assert.deepEqual(wrong, []);
  });
}

Deno.test(`sample: 70,000 tokens`, async () => {
  const [B, V] = [3, 70_001];
  const logits = numbers(B * V, 1).map((v) => 200 * v);
  for (const [topK, topP] of [[0, 1], [40, 1], [0, 0.9], [40, 0.9]]) {
    using _scope = device.scope();
    const settings = { temperature: 1, topK, topP, minP: 0, repetitionPenalty: 1, seed: 3 };
    const ids = device.zeros([B], "u32");
    const tensors = {
      logits: device.upload(logits.slice(), [B, V]),
      seen: device.zeros([B, V], "u32"),
      ids,
      tokens: device.zeros([B, 1], "u32"),
    };
    sample(tensors, { ...settings, position: 0 });
    const found = await ids.read();
    const expected = Array.from({ length: B }, (_, b) => {
      const row = Float64Array.from(logits.subarray(b * V, (b + 1) * V));
      return draw(probabilities(row, settings), sampleUniform(b, 0, 3));
    });
    assert.deepEqual([...found], expected, `top ${topK}, ${topP}`);
  }
});

Deno.test(`attention: one query and 70,000 keys, and the other way round`, async () => {
  using _scope = device.scope();
  const [long, headSize] = [70_000, 8];
  const of = (seed: number, time: number): [Float32Array, Tensor] => {
    const host = numbers(time * headSize, seed);
    return [host, upload(device, host, [1, time, headSize])];
  };
  const [[q, one], [k, all]] = [of(1, 1), of(2, long)];
  const shape = { batch: 1, heads: 1, headSize, scale: 0.5 };
  const scores = attentionScores(whole(one), whole(all), { ...shape, queries: 1, keys: long });
  const mixed = device.tensor([1, 1, headSize]);
  attentionMix(softmax(scores), whole(all), {
    shape: { ...shape, queries: 1, keys: long, scale: 1 },
    out: whole(mixed),
  });
  // What 70,000 queries give to one key: the columns' sums, weighed.
  const gathered = device.tensor([1, 1, headSize]);
  attentionMixTransposed(scores.reshape([1, 1, long, 1]), whole(all), {
    shape: { ...shape, queries: long, keys: 1, scale: 1 },
    out: whole(gathered),
  });
  const raw = Float64Array.from(
    { length: long },
    (_, j) => 0.5 * q.reduce((sum, v, d) => sum + v * k[j * headSize + d], 0),
  );
  const weighed = (w: Float64Array): Float64Array =>
    w.reduce(
      (sum, v, j) => sum.map((s, d) => s + v * k[j * headSize + d]),
      new Float64Array(headSize),
    );
  const [foundMix, foundSum] = await device.read(mixed, gathered);
  assertClose(foundMix, weighed(softmaxes.softmax(raw, long)), { bound: BOUND, label: "mix" });
  assertClose(foundSum, weighed(raw), { bound: BOUND, label: "transposed" });
});

Deno.test(`attention decode: a cache of 131,072 positions`, async () => {
  using _scope = device.scope();
  const [past, headSize, channels] = [131_071, 64, 64];
  const size = { layers: 1, batch: 1, heads: 1, headSize, capacity: past + 1 };
  const cache = decodeCache(device, size);
  const half = 65_535;
  const host = numbers(past * 3 * channels, 1);
  for (let from = 0; from < past; from += half) {
    const time = Math.min(half, past - from);
    const part = host.slice(from * 3 * channels, (from + time) * 3 * channels);
    decodeAppend(upload(device, part, [1, time, 3 * channels]), cache, { past: from, time });
  }
  const own = numbers(3 * channels, 2);
  const out = attentionDecode(upload(device, own, [1, 1, 3 * channels]), cache, {
    past,
    layer: 0,
  });
  const at = (t: number, part: number): Float32Array =>
    (t < past ? host.subarray(t * 3 * channels) : own).subarray(
      part * channels,
      (part + 1) * channels,
    );
  const q = at(past, 0);
  const scores = Float64Array.from({ length: past + 1 }, (_, t) => {
    return at(t, 1).reduce((sum, v, d) => sum + v * q[d], 0) / 8;
  });
  const expected = new Float64Array(channels);
  softmaxes.softmax(scores, past + 1).forEach((p, t) => {
    at(t, 2).forEach((v, d) => expected[d] += p * v);
  });
  assertClose(await out.read(), expected, { bound: BOUND, label: "out" });
  [cache.keys, cache.values].forEach((texture) => device.textures.release(texture));
});

Deno.test(`rows of weights: 70,000 inputs`, async () => {
  using _scope = device.scope();
  const [k, n] = [70_000, 8];
  const [x, w] = [numbers(k, 1), numbers(k * n, 2)];
  const xs = upload(device, x, [1, k]);
  const plain = linearRow(xs, rowWeight(upload(device, w, [k, n]), { transposed: false }));
  const packed = packMatrix(w, { inputs: k, outputs: n, format: "int8", group: 32 });
  const matrix = uploadPacked(device, packed);
  const [quantized, unpacked] = [quantizedMatmul(xs, matrix), unpackMatrix(matrix)];
  const [found, foundQuantized, weights] = await device.read(plain, quantized, unpacked);
  const shape = { m: 1, k, n };
  assertClose(found, matmulReference(x, w, shape), { bound: BOUND, label: "f32" });
  assertClose(foundQuantized, matmulReference(x, weights, shape), { bound: BOUND, label: "int8" });
});

Deno.test(`squared error: four million numbers`, async () => {
  using _scope = device.scope();
  const size = 4_000_003;
  const [x, y] = [1, 2].map((seed) => numbers(size, seed));
  const [xs, ys] = [x, y].map((data) => upload(device, data));
  const found = await pointwiseLoss(xs, ys, "squared").read();
  const { mean, count } = pointwise.pointwiseLoss(x, y, "squared");
  assertClose(found, [mean, count], { bound: BOUND, label: "mean" });
});

Deno.test(`ages: a column that fired in one of 70,000 rows`, async () => {
  using _scope = device.scope();
  const rows = 70_000;
  const out = new Float32Array(3 * rows);
  out[0] = 1;
  out[3 * rows - 1] = 1;
  const age = device.upload(Uint32Array.of(5, 0, 5));
  updateAges(upload(device, out, [rows, 3]), age);
  assert.deepEqual([...await age.read()], [0, rows, 0]);
});
Deno.test("a product over 300,000 rows is made in parts on a processor", async () => {
  using _scope = device.scope();
  const k = 300_000;
  const [a, b] = [numbers(2 * k, 1), numbers(3 * k, 2)];
  const out = matmul(upload(device, a, [k, 2]), upload(device, b, [k, 3]), { transposeA: true });
  const expected = matmulReference(a, b, { m: 2, n: 3, k, transposeA: true });
  assertClose(await out.read(), expected, { bound: BOUND, label: "product" });
});

Deno.test("what no loop of a processor can do is refused", () => {
  using _scope = device.scope();
  assert.throws(
    () => attention(device.tensor([1, 60_000, 3 * 72]), { heads: 1, causal: true }),
    { name: "VitrailError", message: /^Cannot attend over 60000 positions with heads of 72 on / },
  );
});
