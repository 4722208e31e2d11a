/**
 * A linear layer on a few rows, with norm and GELU, against float64 references of the three.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import {
  linearRow,
  type LinearRowOptions,
  rowNorm,
  rowWeight,
} from "../../src/kernels/linear_row.ts";
import { assertClose, numbers } from "../compare.ts";
import { gelu } from "../reference/gelu.ts";
import { layerNorm } from "../reference/layer_norm.ts";
import { linear } from "../reference/linear.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { blank, openDevices, poison, upload } from "./devices.ts";

/** Rows, columns and inner dimension: of one, odd, of whole vectors, and more than one workgroup. */
const SHAPES = [
  [1, 1, 1],
  [1, 64, 64],
  [2, 197, 36],
  [3, 36, 37],
  [4, 130, 7],
  [5, 263, 12],
  [9, 12, 1031],
];

/** What is done beside the product. */
interface Extras {
  normalize?: boolean;
  bias?: boolean;
  gelu?: "erf" | "tanh";
  accumulate?: boolean;
  transposed?: boolean;
}

async function check(device: Device, shape: number[], extras: Extras): Promise<void> {
  using _scope = device.scope();
  const [rows, outputs, inputs] = shape;
  const { transposed = false, accumulate } = extras;
  const x = numbers(rows * inputs, 1).map((v) => 3 + v);
  const [weight, bias, before] = [inputs, 1, rows].map((n, i) => numbers(n * outputs, 2 + i));
  const norm = { weight: numbers(inputs, 5), bias: numbers(inputs, 6), epsilon: 1e-5 };
  const packed = rowWeight(
    upload(device, weight, transposed ? [outputs, inputs] : [inputs, outputs]),
    { transposed },
  );
  const options: LinearRowOptions = {
    norm: extras.normalize
      ? rowNorm({
        ...norm,
        weight: upload(device, norm.weight),
        bias: upload(device, norm.bias),
      })
      : undefined,
    bias: extras.bias ? upload(device, bias) : undefined,
    gelu: extras.gelu,
    accumulate,
    out: accumulate ? upload(device, before, [rows, outputs]) : undefined,
  };
  poison(device, [rows, outputs]);
  const found = linearRow(upload(device, x, [rows, inputs]), packed, options);
  assert.deepEqual(found.shape, [rows, outputs]);
  const input = extras.normalize ? layerNorm(x, norm).out : x;
  const sum = linear(input, { weight, bias: extras.bias ? bias : undefined }, {
    rows,
    inputs,
    outputs,
    transposed,
  });
  const active = extras.gelu ? gelu(sum, extras.gelu) : sum;
  const expected = accumulate ? active.map((v, i) => v + before[i]) : active;
  const label = `${shape.join("×")} ${JSON.stringify(extras)}`;
  const actual = await found.read();
  assertClose(actual, expected, { bound: 2e-6, label });
  const size = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  assertEach(actual, expected, { absolute: 1e-5 * size, label });
  device.textures.release(packed.texture);
}

for (const [name, device] of await openDevices()) {
  Deno.test(`linear row, ${name}: alone, either way round`, async () => {
    for (const shape of SHAPES) {
      for (const transposed of [false, true]) await check(device, shape, { transposed });
    }
  });

  Deno.test(`linear row, ${name}: with norm, bias and GELU, and added to what is there`, async () => {
    // Each has pipelines of its own, and each takes a while.
    for (const shape of [SHAPES[2], SHAPES[3], SHAPES[5]]) {
      await check(device, shape, { normalize: true, bias: true });
      await check(device, shape, { bias: true, accumulate: true });
    }
    for (const kind of ["erf", "tanh"] as const) {
      const extras = { normalize: true, bias: true, gelu: kind };
      await check(device, SHAPES[3], extras);
      await check(device, SHAPES[2], { ...extras, transposed: true, accumulate: true });
    }
  });

  Deno.test(`linear row, ${name}: a row far from zero is normalized as exactly`, async () => {
    using _scope = device.scope();
    const near = numbers(37, 1);
    const norm = rowNorm({
      weight: upload(device, new Float32Array(37).fill(1)),
      bias: upload(device, new Float32Array(37)),
      epsilon: 1e-5,
    });
    const identity = new Float32Array(37 * 37).map((_, i) => Math.floor(i / 37) === i % 37 ? 1 : 0);
    const weight = rowWeight(upload(device, identity, [37, 37]), { transposed: false });
    // 2¹⁰ is so large that a tenth of the digits are lost in x itself, and no more than those may be.
    const far = near.map((v) => 1024 + Math.round(v * 1024) / 1024);
    const found = await linearRow(upload(device, far, [1, 37]), weight, { norm }).read();
    const { out } = layerNorm(far, {
      weight: new Float32Array(37).fill(1),
      bias: new Float32Array(37),
      epsilon: 1e-5,
    });
    assertClose(found, out, { bound: 1e-6, label: "far from zero" });
    device.textures.release(weight.texture);
  });

  Deno.test(`linear row, ${name}: the same bytes every time, and textures go back`, async () => {
    using _scope = device.scope();
    const before = device.textures.bytes;
    const weight = rowWeight(upload(device, numbers(197 * 48, 1), [48, 197]), {
      transposed: false,
    });
    const x = upload(device, numbers(3 * 48, 2), [3, 48]);
    await assertSameBytes(device, () => [linearRow(x, weight)]);
    device.textures.release(weight.texture);
    device.textures.release(weight.texture);
    assert.equal(device.textures.bytes, before);
  });

  Deno.test(`linear row, ${name}: what does not fit is said`, () => {
    using _scope = device.scope();
    const weight = rowWeight(blank(device, [3, 5]), { transposed: false });
    assert.throws(() => linearRow(blank(device, [2, 4]), weight), {
      name: "VitrailError",
      message: "Cannot multiply (2, 4) by (3, 5): inner dimensions must match",
    });
    device.textures.release(weight.texture);
  });
}
