/**
 * Operations and bytes of kernels, as a profiler saw them run, against counts by hand.
 *
 * @module
 */
import assert from "node:assert/strict";
import { packMatrix } from "../../src/formats/quantized_matrix.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { adamw } from "../../src/kernels/adamw.ts";
import { attention, attentionBackward } from "../../src/kernels/attention.ts";
import { attentionMix, attentionScores, whole } from "../../src/kernels/attention_pattern.ts";
import { attentionDecode, decodeAppend, decodeCache } from "../../src/kernels/attention_decode.ts";
import { normalizedColumnSums } from "../../src/kernels/column_sum.ts";
import { cast } from "../../src/kernels/cast.ts";
import {
  countTargets,
  crossEntropy,
  crossEntropyBackward,
} from "../../src/kernels/cross_entropy.ts";
import { klDivergence, klDivergenceBackward } from "../../src/kernels/kl_divergence.ts";
import { activation, activationBackward } from "../../src/kernels/activation.ts";
import { gelu, geluBackward } from "../../src/kernels/gelu.ts";
import { layerNorm, layerNormBackward } from "../../src/kernels/layer_norm.ts";
import { linearRow, rowNorm, rowWeight } from "../../src/kernels/linear_row.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import {
  affine,
  divideRows,
  divideRowsBackward,
  normScale,
  normScaleBackward,
} from "../../src/kernels/norm_parts.ts";
import {
  quantizedEmbedding,
  quantizedMatmul,
  unpackMatrix,
  uploadPacked,
} from "../../src/kernels/quantized.ts";
import { placeRows } from "../../src/kernels/place_rows.ts";
import { topK, topKBackward, updateAges } from "../../src/kernels/top_k.ts";
import { normalizeRows, projectRows } from "../../src/kernels/unit_rows.ts";
import { type Work, workOf } from "../../src/kernels/work.ts";
import { record } from "../../src/profiling/record.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

/** What the kernels of `run` must do, by their names, copies left out. */
async function works(run: () => void): Promise<Record<string, Work | undefined>> {
  const { events } = await record(device, run, { replay: false });
  return Object.fromEntries(
    events.filter(({ kernel }) => kernel).map((event) => [event.name, workOf(event.name, event)]),
  );
}

const zeros = (...shape: number[]) => device.zeros(shape);

Deno.test("matmul: 2·M·N·K, one for each number that is added, and GELU", async () => {
  using _scope = device.scope();
  // (5, 7)·(7, 3): 15 numbers of 7 products and 7 sums.
  const [a, b, bias] = [zeros(5, 7), zeros(7, 3), zeros(3)];
  const out = zeros(5, 3);
  for (const variant of ["row", "shared", "texels"] as const) {
    const name = `matmul_${variant}.forward${variant === "shared" ? "" : "_odd"}`;
    const plain = await works(() => void matmul(a, b, { variant }));
    assert.deepEqual(plain[name], { flops: 210, bytes: 4 * (35 + 21 + 15) });
    const added = await works(() => void matmul(a, b, { variant, bias, out, accumulate: true }));
    assert.deepEqual(added[name], { flops: 240, bytes: 4 * (35 + 21 + 3 + 15 + 15) });
    // GELU is nine for each number, or five; what it is applied to is a second result.
    const gelu = { kind: "tanh", before: zeros(5, 3) } as const;
    const both = await works(() => void matmul(a, b, { variant, bias, gelu }));
    assert.deepEqual(both[name], { flops: 225 + 9 * 15, bytes: 4 * (35 + 21 + 3 + 15 + 15) });
    const alone = await works(() => void matmul(a, b, { variant, gelu: { kind: "erf" } }));
    assert.deepEqual(alone[name], { flops: 210 + 5 * 15, bytes: 4 * (35 + 21 + 15) });
  }
});

Deno.test("packed matrices: the product's, one for each group's scale, and bytes of the words", async () => {
  using _scope = device.scope();
  const [x, bias, ids] = [zeros(5, 40), zeros(3), device.upload(new Uint32Array(7))];
  // 40 numbers of a column are two groups; 120 of eight bits, or of four, and six scales of two bytes.
  for (
    const [format, weights, scales] of [["f16", 240, 0], ["int8", 120, 6], ["int4", 60, 6]] as const
  ) {
    const shape = { inputs: 40, outputs: 3, format, group: 32 };
    const matrix = uploadPacked(device, packMatrix(new Float32Array(120), shape));
    const bytes = weights + 2 * scales;
    const found = await works(() => {
      quantizedMatmul(x, matrix, { bias });
      unpackMatrix(matrix);
      quantizedEmbedding(ids, { token: matrix, position: zeros(1, 40) });
    });
    assert.deepEqual(found["quantized.forward"], {
      flops: 2 * 5 * 3 * 40 + 5 * 3 + (scales ? 5 * 3 * 2 : 0),
      bytes: 4 * (5 * 40 + 3 + 5 * 3) + bytes,
    });
    assert.deepEqual(found["quantized.unpack_odd"], {
      flops: scales ? 120 : 0,
      bytes: 4 * 120 + bytes,
    });
    // Seven rows of 40: each number read packed and its position in f32, and one written.
    assert.deepEqual(found["quantized.lookup"], {
      flops: 280 * (scales ? 2 : 1),
      bytes: 7 * 4 + 280 * 8 + 7 * bytes / 3,
    });
  }
});

Deno.test("rows in the place of rows: two numbers a row name them, each element is read and written", async () => {
  using _scope = device.scope();
  const [x, out] = [zeros(29, 7), zeros(13, 7)];
  const rows = device.upload(Uint32Array.of(28, 0, 5));
  const into = device.upload(Uint32Array.of(1, 12, 0));
  const found = await works(() => placeRows(x, out, { rows, into, columns: 7 }));
  assert.deepEqual(found["place_rows.forward"], { flops: 0, bytes: 4 * (2 * 3 + 2 * 3 * 7) });
});

Deno.test("attention: two products forward, five backward, of the pairs that are seen", async () => {
  using _scope = device.scope();
  // B 3, T 29, NH 2, HS 12; a causal mask leaves 1 + 2 + … + 29 = 435 pairs of a head.
  const qkv = zeros(3, 29, 72);
  const dOut = zeros(3, 29, 24);
  for (const [causal, pairs] of [[true, 435], [false, 841]] as const) {
    const options = { heads: 2, causal };
    const found = await works(() => {
      const saved = attention(qkv, options);
      attentionBackward(qkv, dOut, { ...options, saved });
    });
    const product = 2 * pairs * 12 * 6; // six heads in all
    const row = 3 * 29 * 24; // one of q, k, v
    const statistics = 3 * 29 * 2;
    assert.deepEqual(found["attention.forward"], {
      flops: 2 * product,
      bytes: 4 * (4 * row + statistics),
    });
    assert.deepEqual(found["attention.queries"], {
      flops: 3 * product,
      bytes: 4 * (6 * row + 2 * statistics),
    });
    assert.deepEqual(found["attention.keys"], {
      flops: 2 * product,
      bytes: 4 * (6 * row + 2 * statistics),
    });
  }
});

Deno.test("attention against a cache: one query sees what is past and itself", async () => {
  using _scope = device.scope();
  const shape = {
    batch: 3,
    heads: 2,
    queries: 2,
    keys: 7,
    headSize: 5,
    scale: 1,
    past: 5,
    causal: true,
  };
  const [q, cache, out] = [zeros(3, 2, 10), zeros(3, 7, 10), zeros(3, 2, 10)];
  const found = await works(() => {
    const scores = attentionScores(whole(q), whole(cache), shape);
    attentionMix(scores, whole(cache), { shape, out: whole(out) });
  });
  const bytes = 4 * (3 * 10 * (2 + 7) + 6 * 2 * 7);
  // The first query sees 6 keys, the second 7.
  assert.deepEqual(found["attention_pattern.scores"], { flops: 2 * 13 * 5 * 6, bytes });
  assert.deepEqual(found["attention_pattern.mix"], { flops: 2 * 14 * 5 * 6, bytes });
});

Deno.test("a step of generation: products with what is done beside them, and one query", async () => {
  using _scope = device.scope();
  // (3, 7)·(7, 5), as above; 21 numbers normalized and 15 activated.
  const [x, bias, norm] = [zeros(3, 7), zeros(5), zeros(7)];
  const weight = rowWeight(zeros(7, 5), { transposed: false });
  const norms = rowNorm({ weight: norm, bias: norm, epsilon: 1e-5 });
  const plain = await works(() => void linearRow(x, weight));
  assert.deepEqual(plain["linear_row.forward"], { flops: 210, bytes: 4 * (21 + 35 + 15) });
  const whole = await works(() => {
    linearRow(x, weight, { norm: norms, bias, gelu: "tanh", out: zeros(3, 5), accumulate: true });
  });
  assert.deepEqual(whole["linear_row.forward"], {
    flops: 210 + 30 + 8 * 21 + 9 * 15,
    bytes: 4 * (21 + 35 + 15 + 5 + 15 + 14),
  });
  device.textures.release(weight.texture);
  // B 3, NH 2, HS 5: six heads, each with nine places before its own.
  const cache = decodeCache(device, { layers: 2, batch: 3, heads: 2, headSize: 5, capacity: 12 });
  const decoded = await works(() => {
    decodeAppend(zeros(1, 9, 30), cache, { past: 0, sources: 1, time: 9, layer: 1 });
    attentionDecode(zeros(3, 1, 30), cache, { past: 9, layer: 1 });
  });
  // Keys and values of one sequence, written for three.
  assert.deepEqual(decoded["attention_decode.append"], {
    flops: 0,
    bytes: 4 * 2 * 9 * 10 * (1 + 3),
  });
  assert.deepEqual(decoded["attention_decode.forward"], {
    flops: 6 * 10 * (2 * 5 + 2 * 5),
    // Nine keys and values from the cache; its own, the query and the result.
    bytes: 4 * 6 * 5 * (9 * 2 + 4),
  });
  [cache.keys, cache.values].forEach((texture) => device.textures.release(texture));
  const size = { layers: 2, batch: 3, heads: 2, headSize: 5, capacity: 12 };
  const halves = decodeCache(device, size, { format: "f16" });
  const half = await works(() => {
    decodeAppend(zeros(1, 9, 30), halves, { past: 0, sources: 1, time: 9, layer: 1 });
    attentionDecode(zeros(3, 1, 30), halves, { past: 9, layer: 1 });
  });
  // What is in the cache has two bytes.
  assert.equal(half["attention_decode.append"]?.bytes, 2 * 9 * 10 * (4 * 1 + 2 * 3));
  assert.equal(half["attention_decode.forward"]?.bytes, 6 * 5 * (2 * 9 * 2 + 4 * 4));
  [halves.keys, halves.values].forEach((texture) => device.textures.release(texture));
});

Deno.test("layer norm: eight for each number forward, ten backward", async () => {
  using _scope = device.scope();
  for (const columns of [12, 13]) {
    const odd = columns % 4 ? "_odd" : "";
    const [x, d, w] = [zeros(7, columns), zeros(7, columns), zeros(columns)];
    const dX = zeros(7, columns);
    const found = await works(() => {
      const { mean, rstd } = layerNorm(x, { weight: w, bias: w, epsilon: 1e-5 });
      const saved = { x, weight: w, mean, rstd };
      layerNormBackward(d, saved, { dX, accumulate: true });
      const target = () => ({ tensor: zeros(columns), accumulate: true });
      normalizedColumnSums(d, saved, { bias: target(), weight: target() });
    });
    const n = 7 * columns;
    assert.deepEqual(found[`layer_norm.forward${odd}`], {
      flops: 8 * n,
      bytes: 4 * (2 * n + 2 * columns + 14),
    });
    // Accumulating adds one, and reads what is added to.
    assert.deepEqual(found[`layer_norm.backward${odd}`], {
      flops: 11 * n,
      bytes: 4 * (4 * n + columns + 14),
    });
    // One chunk of rows, whose two sums are then added to two gradients.
    assert.equal(found[`column_sum.normalized${odd}`]?.flops, 5 * n);
    assert.deepEqual(found["column_sum.finish_both"], {
      flops: 4 * columns,
      bytes: 24 * columns,
    });
  }
});

Deno.test("layer norm in parts: four, three and two forward, three, seven and one backward", async () => {
  using _scope = device.scope();
  const [x, scale, weight] = [zeros(7, 13), zeros(7), zeros(13)];
  const found = await works(() => {
    normScale(x, { epsilon: 1e-5 });
    normScaleBackward(x, { scale, dScale: scale });
    divideRows(x, { scale });
    divideRowsBackward(x, { scale, dOut: x });
    affine(x, { weight, bias: weight });
  });
  // 91 numbers in seven rows.
  assert.deepEqual(found, {
    "norm_parts.scale": { flops: 4 * 91, bytes: 4 * (91 + 7) },
    "norm_parts.scale_backward": { flops: 3 * 91, bytes: 4 * (2 * 91 + 14) },
    "norm_parts.divide": { flops: 3 * 91, bytes: 4 * (2 * 91 + 7) },
    "norm_parts.divide_backward": { flops: 7 * 91, bytes: 4 * (3 * 91 + 14) },
    "norm_parts.affine": { flops: 2 * 91, bytes: 4 * (2 * 91 + 26) },
  });
  const backward = await works(() => void affine(x, { weight }));
  assert.equal(backward["norm_parts.affine"]?.flops, 91);
});

Deno.test("AdamW: sixteen for each number; reads four tensors and writes three", async () => {
  using _scope = device.scope();
  const [value, gradient, m, v] = [0, 1, 2, 3].map(() => zeros(13));
  const rates = { lr: 1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, decay: 0, step: 1 };
  const found = await works(() => adamw({ value, gradient, m, v, clip: zeros(3) }, rates));
  assert.deepEqual(found["adamw.update"], { flops: 16 * 13, bytes: 4 * (7 * 13 + 3) });
});

Deno.test("KL divergence: fourteen for each logit forward, six backward", async () => {
  using _scope = device.scope();
  const [logits, teacher] = [zeros(5, 197), zeros(5, 197)];
  const found = await works(() => {
    const saved = klDivergence(logits, teacher);
    klDivergenceBackward(logits, teacher, { saved, scale: 1, dLogits: zeros(5, 197) });
  });
  assert.deepEqual(found["kl_divergence.forward"], {
    flops: 14 * 985,
    bytes: 4 * (2 * 985 + 15),
  });
  assert.deepEqual(found["kl_divergence.backward"], {
    flops: 6 * 985,
    bytes: 4 * (3 * 985 + 10),
  });
});

Deno.test("cross-entropy: four for each logit forward, three backward", async () => {
  using _scope = device.scope();
  const logits = zeros(5, 197);
  const targets = device.upload(new Int32Array(5), [5]);
  const found = await works(() => {
    const saved = crossEntropy(logits, targets);
    crossEntropyBackward(logits, targets, { saved, scale: 1, dLogits: zeros(5, 197) });
  });
  assert.deepEqual(found["cross_entropy.forward"], { flops: 4 * 985, bytes: 4 * (985 + 15) });
  assert.deepEqual(found["cross_entropy.mean"], { flops: 5, bytes: 4 * 12 });
  assert.deepEqual(found["cross_entropy.backward_odd"], {
    flops: 3 * 985,
    bytes: 4 * (2 * 985 + 12),
  });
  const inPlace = await works(() => {
    const saved = { logSumExp: zeros(5), result: zeros(2) };
    countTargets(targets, saved.result);
    crossEntropyBackward(logits, targets, { saved, scale: 1, dLogits: logits });
  });
  assert.deepEqual(inPlace["cross_entropy.count"], { flops: 5, bytes: 4 * 7 });
  assert.deepEqual(inPlace["cross_entropy.backward_odd"], found["cross_entropy.backward_odd"]);
});

Deno.test("GELU: by its form, five or nine forward, eleven or eighteen backward", async () => {
  using _scope = device.scope();
  const [x, d, dX] = [zeros(3, 7), zeros(3, 7), zeros(3, 7)];
  for (const [kind, forward, backward] of [["erf", 5, 11], ["tanh", 9, 18]] as const) {
    const found = await works(() => {
      gelu(x, kind);
      geluBackward(x, d, { kind, dX, accumulate: false });
    });
    assert.deepEqual(found["gelu.forward"], { flops: forward * 21, bytes: 4 * 42 });
    assert.deepEqual(found["gelu.backward"], { flops: backward * 21, bytes: 4 * 63 });
  }
  const others = [["relu", 1, 2], ["silu", 5, 9], ["gelu_10", 7, 13]] as const;
  for (const [other, forward, backward] of others) {
    const found = await works(() => {
      activation(x, { other });
      activationBackward(x, d, { kind: { other }, dX, accumulate: false });
    });
    assert.deepEqual(found["activation.forward"], { flops: forward * 21, bytes: 4 * 42 });
    assert.deepEqual(found["activation.backward"], { flops: backward * 21, bytes: 4 * 63 });
  }
});

Deno.test("sparse autoencoders: a comparison for each number, and rows of length one", async () => {
  using _scope = device.scope();
  const age = device.zeros([7], "u32");
  const [weight, gradient, dX] = [zeros(5, 7), zeros(5, 7), zeros(5, 7)];
  const found = await works(() => {
    const out = topK(zeros(5, 7), 3, { old: { age, limit: 1 } });
    topKBackward(out, gradient, { dX, accumulate: true });
    updateAges(out, age);
    normalizeRows(weight);
    projectRows(gradient, weight);
  });
  assert.deepEqual(found["top_k.forward_odd"], { flops: 35, bytes: 4 * (2 * 35 + 7) });
  assert.deepEqual(found["top_k.backward"], { flops: 2 * 35, bytes: 4 * 4 * 35 });
  assert.deepEqual(found["top_k.ages"], { flops: 35, bytes: 4 * (35 + 2 * 7) });
  assert.deepEqual(found["unit_rows.normalize"], { flops: 3 * 35, bytes: 4 * 2 * 35 });
  assert.deepEqual(found["unit_rows.project"], { flops: 4 * 35, bytes: 4 * 3 * 35 });
});

Deno.test("f16: as many operations, and half the bytes of what is f16", async () => {
  using _scope = device.scope();
  const half = (...shape: number[]) => device.zeros(shape, "f16");
  const [a, b, bias] = [half(5, 7), half(7, 3), zeros(3)];
  for (const variant of ["shared", "texels"] as const) {
    const name = `matmul_${variant}.forward${variant === "shared" ? "" : "_odd"}`;
    const found = await works(() => {
      matmul(a, b, { variant, bias, out: half(5, 3), accumulate: true });
    });
    // Seven is no whole number of texels: those are filled up as f32.
    const operand = variant === "shared" ? 2 : 4;
    const bytes = operand * (35 + 21) + 4 * 3 + 2 * (15 + 15);
    assert.deepEqual(found[name], { flops: 240, bytes });
  }
  const weights = [zeros(7), zeros(7)];
  const x = half(5, 7);
  const found = await works(() => {
    gelu(x, "tanh");
    layerNorm(x, { weight: weights[0], bias: weights[1], epsilon: 1e-5 });
    cast(x, "f32", { factor: zeros(1) });
  });
  assert.deepEqual(found["gelu.forward"], { flops: 9 * 35, bytes: 2 * 70 });
  assert.deepEqual(found["layer_norm.forward_odd"], {
    flops: 8 * 35,
    bytes: 2 * 70 + 4 * (14 + 10),
  });
  assert.deepEqual(found["cast.forward"], { flops: 35, bytes: 35 * 6 + 4 });
  const heads = await works(() => void attention(half(3, 29, 72), { heads: 2, causal: true }));
  assert.deepEqual(heads["attention.forward"], {
    flops: 4 * 435 * 12 * 6,
    bytes: 2 * 4 * 3 * 29 * 24 + 4 * 3 * 29 * 2,
  });
});
