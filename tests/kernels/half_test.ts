/**
 * Every kernel of training on f16, against its float64 reference on numbers that f16 holds exactly.
 *
 * All of them compute in f32 and round once, when they store: so an element may be off by 2⁻¹¹ of
 * itself, half a unit of f16's eleven bits, beside what f32 costs; near zero by 2⁻²⁵, half of the smallest.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import { sizeOf, type Tensor } from "../../src/gpu/tensor.ts";
import { accumulate, add } from "../../src/kernels/add.ts";
import { attention, attentionBackward } from "../../src/kernels/attention.ts";
import { cast } from "../../src/kernels/cast.ts";
import { columnSum, normalizedColumnSums } from "../../src/kernels/column_sum.ts";
import { addColumns, readColumns } from "../../src/kernels/columns.ts";
import { crossEntropy, crossEntropyBackward } from "../../src/kernels/cross_entropy.ts";
import { dropout } from "../../src/kernels/dropout.ts";
import {
  embedding,
  embeddingPositionBackward,
  embeddingTokenBackward,
} from "../../src/kernels/embedding.ts";
import { gatherRows, gatherRowsBackward } from "../../src/kernels/gather_rows.ts";
import { gelu, geluBackward } from "../../src/kernels/gelu.ts";
import { addNorm, layerNorm, layerNormBackward } from "../../src/kernels/layer_norm.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { tanh, tanhBackward } from "../../src/kernels/tanh.ts";
import { assertClose, numbers } from "../compare.ts";
import * as references from "../reference/all.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, upload } from "./devices.ts";

/** Seeded numbers in [-1, 1) that f16 holds exactly. */
function halves(size: number, seed: number): Float32Array<ArrayBuffer> {
  return numbers(size, seed).map((v) => Math.f16round(v));
}

/** An f16 tensor; what lies behind its last element is NaN. */
function uploadHalf(
  device: Device,
  data: Float32Array<ArrayBuffer>,
  shape = [data.length],
): Tensor {
  const out = device.tensor(shape, "f16");
  const bits = new Uint32Array(out.buffer.byteLength / 4).fill(0xffffffff);
  device.commands.write(out.buffer, bits);
  return cast(upload(device, data, shape), "f16", { out });
}

/** Leaves NaN in the buffers that the next f16 tensors of these shapes will get. */
function poisonHalves(device: Device, ...shapes: number[][]): void {
  using _scope = device.scope();
  for (const shape of shapes) {
    for (let i = 0; i < 3; i++) {
      const { buffer } = device.tensor(shape, "f16");
      device.commands.write(buffer, new Uint32Array(buffer.byteLength / 4).fill(0xffffffff));
    }
  }
}

/** One rounding to f16, after f32 arithmetic whose terms are about as large as the largest result. */
function assertRounded(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  options: { label: string; f32?: number },
): void {
  const { label, f32 = 1e-6 } = options;
  const largest = Array.from(expected).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  assertEach(found, expected, { relative: 2 ** -11, absolute: 2 ** -25 + f32 * largest, label });
}

const launches = await openDevices();
const [[, device], [, graphics]] = launches;

Deno.test("cast: to the nearest f16 and to infinity beyond its end, and back exactly", async () => {
  using _scope = device.scope();
  // Ties go to even; 2⁻²⁴ is the smallest, and half of it is zero.
  const given = [
    70000,
    65519,
    65520,
    -1e30,
    NaN,
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    2 ** -24,
    2 ** -25,
  ];
  const data = Float32Array.from([...given, ...numbers(197, 1)]);
  const half = cast(upload(device, data), "f16");
  assert.equal(half.dtype, "f16");
  assert.equal(half.byteLength, 2 * data.length + 2 * (data.length % 2));
  const [found, back] = await device.read(half, cast(half, "f32"));
  const expected = data.map((v) => Math.f16round(v));
  assert.deepEqual(found, expected);
  assert.deepEqual(back, expected);
  const factor = upload(device, Float32Array.of(0.5));
  assert.deepEqual(
    await cast(half, "f16", { factor }).read(),
    expected.map((v) => Math.f16round(v / 2)),
  );
});

for (const [name, device] of launches) {
  for (const variant of name === "processor" ? ["texels", "shared"] as const : [undefined]) {
    Deno.test(`f16 matmul, ${name} ${variant ?? "chosen"}: into f16 and into f32, with bias and accumulating`, async () => {
      // Of weights (k, n) and activations; then a weight's gradient, of which a is transposed and out f32.
      for (const [m, n, k] of [[29, 197, 37], [3, 36, 108]]) {
        using _scope = device.scope();
        const shape = { m, n, k, transposeA: false, transposeB: false };
        const [a, b, before] = [halves(m * k, 1), halves(k * n, 2), halves(m * n, 4)];
        const bias = numbers(n, 3);
        const [bs, into] = [uploadHalf(device, b, [k, n]), uploadHalf(device, before, [m, n])];
        const as = uploadHalf(device, a, [m, k]);
        const label = `${m}×${n}×${k}`;
        const { matmul: reference } = references;
        matmul(as, bs, { variant, bias: upload(device, bias), out: into, accumulate: true });
        const added = reference(a, b, { ...shape, bias, before });
        assertRounded(await into.read(), added, { label: `${label} accumulated` });
        // GELU is of the sum, and not of what the sum is rounded to.
        const gelu = { kind: "tanh", before: uploadHalf(device, halves(m * n, 6)) } as const;
        const activated = matmul(as, bs, { variant, bias: upload(device, bias), gelu });
        const sums = reference(a, b, { ...shape, bias });
        assertRounded(await gelu.before.read(), sums, { label: `${label} before GELU` });
        const expected = references.gelu(sums, "tanh");
        assertRounded(await activated.read(), expected, { label: `${label} GELU` });
        // A pipeline of a processor's tile takes a while: one more for each shape.
        if (n % 4 !== 0) {
          poisonHalves(device, [m, n]);
          const plain = matmul(as, bs, { variant });
          assert.equal(plain.dtype, "f16");
          assertRounded(await plain.read(), reference(a, b, shape), { label });
        } else {
          const columns = uploadHalf(device, halves(k * m, 5), [k, m]);
          const wide = upload(device, before, [m, n]);
          matmul(columns, bs, { variant, transposeA: true, out: wide, accumulate: true });
          const gradient = reference(halves(k * m, 5), b, { ...shape, transposeA: true, before });
          assertClose(await wide.read(), gradient, { bound: 1e-6, label: `${label} f32` });
        }
      }
    });
  }

  Deno.test(`f16 layer norm and column sums, ${name}`, async () => {
    const epsilon = 1e-5;
    for (const [rows, columns] of [[29, 197], [87, 36]]) {
      using _scope = device.scope();
      const [x, d, before] = [1, 2, 3].map((seed) => halves(rows * columns, seed));
      const [weight, bias] = [numbers(columns, 4), numbers(columns, 5)];
      const [xs, ds, into] = [x, d, before].map((v) => uploadHalf(device, v, [rows, columns]));
      const [w, b, dW, dB, sum] = [weight, bias, weight, bias, bias].map((v) => upload(device, v));
      poisonHalves(device, [rows, columns], [rows, columns]);
      const { out, mean, rstd } = layerNorm(xs, { weight: w, bias: b, epsilon });
      const dX = device.tensor(xs.shape, "f16");
      const saved = { x: xs, weight: w, mean, rstd };
      layerNormBackward(ds, saved, { dX, accumulate: false });
      layerNormBackward(ds, saved, { dX: into, accumulate: true });
      normalizedColumnSums(ds, { x: xs, mean, rstd }, {
        weight: { tensor: dW, accumulate: true },
        bias: { tensor: dB, accumulate: true },
      });
      columnSum(ds, sum, { accumulate: true });
      const found = await device.read(out, dX, into, dW, dB, sum);
      const expected = references.layerNorm(x, { weight, bias, epsilon });
      const gradients = references.layerNormBackward(x, d, { weight, epsilon });
      const label = `${rows}×${columns}`;
      const added = addNorm(xs, ds, { weight: w, bias: b, epsilon });
      const [total, normalized] = await device.read(added.sum, added.out);
      assertRounded(total, x.map((v, i) => v + d[i]), { label: `${label} sum` });
      const ofTotal = references.layerNorm(total, { weight, bias, epsilon }).out;
      assertRounded(normalized, ofTotal, { label: `${label} norm of the sum` });
      assertRounded(found[0], expected.out, { label });
      assertRounded(found[1], gradients.dX, { label: `${label} dX` });
      const both = gradients.dX.map((v, i) => v + before[i]);
      assertRounded(found[2], both, { label: `${label} dX accumulated` });
      const [sums, products] = [gradients.dBias.map((v, i) => v + bias[i]), gradients.dWeight];
      assertClose(found[3], products.map((v, i) => v + weight[i]), { bound: 3e-6, label: "dW" });
      assertClose(found[4], sums, { bound: 1e-6, label: "dB" });
      assertClose(found[5], sums, { bound: 1e-6, label: "column sum" });
    }
  });

  Deno.test(`f16 cross-entropy, ${name}: losses in f32, gradients times the loss scale`, async () => {
    for (const columns of [197, 36]) {
      using _scope = device.scope();
      const rows = 29;
      const logits = halves(rows * columns, 1).map((v) => 4 * v);
      const targets = Int32Array.from(
        { length: rows },
        (_, r) => r % 7 === 3 ? -100 : r * 31 % columns,
      );
      const [x, t] = [uploadHalf(device, logits, [rows, columns]), device.upload(targets)];
      poisonHalves(device, [rows, columns]);
      const dLogits = device.tensor(x.shape, "f16");
      const saved = crossEntropy(x, t);
      const lossScale = upload(device, Float32Array.of(2 ** 12, 0, 0));
      crossEntropyBackward(x, t, { saved, scale: 0.5, dLogits, lossScale });
      const [result, losses, d] = await device.read(saved.result, saved.losses, dLogits);
      const expected = references.crossEntropy(logits, targets);
      assertClose(losses, expected.losses, { bound: 1e-6, label: "losses" });
      assertClose([...result], [expected.mean, expected.count], { bound: 1e-6, label: "mean" });
      const gradient = references.crossEntropyBackward(logits, targets, 2 ** 11);
      assertRounded(d, gradient, { label: `${columns} dLogits` });
    }
  });

  Deno.test(`f16 elementwise kernels, ${name}: add, GELU, tanh, dropout`, async () => {
    using _scope = device.scope();
    // An odd size: the last vector of four reaches into the padding.
    const size = 3 * 29 * 197;
    const x = halves(size, 1).map((v) => 4 * v);
    const [d, before] = [halves(size, 2), halves(size, 3)];
    const [xs, ds] = [x, d].map((v) => uploadHalf(device, v));
    const into = () => uploadHalf(device, before);
    const key = { probability: 0.2, seed: 9, step: 5, place: 3 };
    poisonHalves(device, [size], [size]);
    const [sum, grown] = [add(xs, ds), into()];
    accumulate(grown, ds);
    const activated = (["erf", "tanh"] as const).map((kind) => {
      const dX = into();
      geluBackward(xs, ds, { kind, dX, accumulate: true });
      return [gelu(xs, kind), dX];
    });
    const squashed = tanh(xs);
    const dTanh = into();
    tanhBackward(squashed, ds, { dX: dTanh, accumulate: false });
    const dropped = [dropout(xs, key), dropout(ds, key, { out: into(), accumulate: true })];
    const more = (values: Float64Array) => values.map((v, i) => v + before[i]);
    const y = Float32Array.from(await squashed.read());
    const checks: [string, Tensor, Float64Array][] = [
      ["add", sum, references.add(x, d)],
      ["accumulate", grown, references.add(before, d)],
      ["gelu erf", activated[0][0], references.gelu(x, "erf")],
      ["gelu erf backward", activated[0][1], more(references.geluBackward(x, d, "erf"))],
      ["gelu tanh", activated[1][0], references.gelu(x, "tanh")],
      ["gelu tanh backward", activated[1][1], more(references.geluBackward(x, d, "tanh"))],
      ["tanh", squashed, references.tanh(x)],
      // By the result, which was rounded.
      ["tanh backward", dTanh, Float64Array.from(d, (v, i) => v * (1 - y[i] ** 2))],
      ["dropout", dropped[0], references.dropout(x, key)],
      ["dropout backward", dropped[1], more(references.dropoutBackward(d, key))],
    ];
    const found = await device.read(...checks.map(([, tensor]) => tensor));
    checks.forEach(([label, , expected], i) => assertRounded(found[i], expected, { label }));
  });

  Deno.test(`f16 rows and columns, ${name}: embedding, gathered rows, blocks of columns`, async () => {
    using _scope = device.scope();
    const [V, C, T, B] = [19, 37, 29, 3];
    const ids = Uint32Array.from({ length: B * T }, (_, i) => i * i % V);
    const [token, position] = [numbers(V * C, 1), numbers(T * C, 2)];
    const d = halves(B * T * C, 3);
    const idTensor = device.upload(ids, [B, T]);
    const ds = uploadHalf(device, d, [B, T, C]);
    const [tokens, dToken] = [0, 1].map(() => upload(device, token, [V, C]));
    const [positions, dPosition] = [0, 1].map(() => upload(device, position, [T, C]));
    poisonHalves(device, [B, T, C]);
    const out = embedding(idTensor, { token: tokens, position: positions, dtype: "f16" });
    embeddingTokenBackward(idTensor, ds, { dToken });
    embeddingPositionBackward(idTensor, ds, { dPosition });
    const rows = Uint32Array.of(86, 0, 28, 5, 41);
    const rowTensor = device.upload(rows);
    const gathered = gatherRows(ds, rowTensor);
    const spread = uploadHalf(device, d, [B, T, C]);
    gatherRowsBackward(gathered, rowTensor, spread);
    const taken = readColumns(ds, 7, { offset: 5, factor: 0.3 });
    const given = uploadHalf(device, d, [B, T, C]);
    addColumns(taken, given, { offset: 11, factor: 3 });
    const tensors = [out, dToken, dPosition, gathered, spread, taken, given];
    const found = await device.read(...tensors);
    const shape = { channels: C, time: T };
    const expected = references.embedding(ids, { token, position }, shape);
    assertRounded(found[0], expected, { label: "embedding" });
    const gradients = references.embeddingBackward(ids, d, {
      ...shape,
      dToken: token,
      dPosition: position,
    });
    assertClose(found[1], gradients.dToken, { bound: 1e-6, label: "dToken" });
    assertClose(found[2], gradients.dPosition, { bound: 1e-6, label: "dPosition" });
    const picked = references.gatherRows(d, rows, C);
    assert.deepEqual(Float64Array.from(found[3]), picked);
    const size = d.length;
    const doubled = references.gatherRowsBackward(picked, rows, { columns: C, size });
    assertRounded(found[4], doubled.map((v, i) => v + d[i]), { label: "gathered rows backward" });
    const block = (i: number, offset: number) => i % C >= offset && i % C < offset + 7;
    const cut = Float64Array.from(d).filter((_, i) => block(i, 5));
    assertRounded(found[5], cut.map((v) => 0.3 * v), { label: "columns" });
    let at = 0;
    const sums = Float64Array.from(d, (v, i) => block(i, 11) ? v + 3 * found[5][at++] : v);
    assertRounded(found[6], sums, { label: "columns added" });
  });
}

Deno.test("f16 attention: forward by one rounding, backward by that of out and its own", async () => {
  // Heads that are copied into textures as they are, and heads that are filled up.
  for (
    const [device, headSize] of [[launches[0][1], 12], [launches[0][1], 7], [graphics, 12]] as const
  ) {
    using _scope = device.scope();
    const shape = { batch: 3, time: 29, heads: 3, headSize, causal: true };
    const channels = 3 * headSize;
    const x = halves(3 * 29 * 3 * channels, 1).map((v) => 2 * v);
    const d = halves(3 * 29 * channels, 2);
    const [qkv, dOut] = [
      uploadHalf(device, x, [3, 29, 3 * channels]),
      uploadHalf(device, d, [3, 29, channels]),
    ];
    poisonHalves(device, qkv.shape as number[], dOut.shape as number[]);
    const options = { heads: 3, causal: true };
    const saved = attention(qkv, options);
    const dQkv = attentionBackward(qkv, dOut, { ...options, saved });
    assert.deepEqual([saved.out.dtype, saved.logSumExp.dtype, dQkv.dtype], ["f16", "f32", "f16"]);
    const [out, logSumExp, gradient] = await device.read(saved.out, saved.logSumExp, dQkv);
    const expected = references.attention(x, shape);
    assertRounded(out, expected.out, { label: "out" });
    assertEach(logSumExp, expected.logSumExp, {
      absolute: 2e-6,
      relative: 1e-6,
      label: "logSumExp",
    });
    const { dQkv: expectedGradient } = references.attentionBackward(x, d, shape);
    // Of d_out·out each term is off by 2⁻¹¹, and so is what is stored.
    assertClose(gradient, expectedGradient, {
      bound: 2 ** -10,
      label: `dQkv, heads of ${headSize}`,
    });
  }
});

Deno.test("f16: same bytes twice", async () => {
  using _scope = device.scope();
  const [x, w] = [
    uploadHalf(device, halves(29 * 37, 1), [29, 37]),
    uploadHalf(device, halves(37 * 197, 2), [37, 197]),
  ];
  await assertSameBytes(device, () => [cast(matmul(x, w), "f32")]);
});

Deno.test("f16 is refused, by name, where a shader reads f32, or beside f32 of the same kind", () => {
  using _scope = device.scope();
  const [wide, half] = [device.tensor([29, 37]), device.tensor([29, 37], "f16")];
  assert.throws(() => add(wide, half), {
    name: "VitrailError",
    message: "Cannot dispatch add.forward: its a is bound to f32 beside others that are f16, " +
      "wanted one type",
  });
  const weight = device.tensor([37], "f16");
  assert.throws(() => layerNorm(wide, { weight, bias: device.tensor([37]), epsilon: 1e-5 }), {
    name: "VitrailError",
    message: "Cannot dispatch layer_norm.forward_odd: its weight_odd is bound to f16, wanted f32",
  });
  assert.throws(() => device.write(half, new Float32Array(sizeOf(half.shape))), {
    name: "VitrailError",
    message: "Cannot write into an f16 tensor of shape (29, 37) from the host: " +
      "write f32 and cast it on the device",
  });
});
