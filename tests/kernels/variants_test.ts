/**
 * What a tuner may choose between: every candidate of every class computes what the shipped variant does,
 * on odd sizes, and is what runs once it is chosen.
 *
 * @module
 */
import assert from "node:assert/strict";
import { packMatrix } from "../../src/formats/quantized_matrix.ts";
import type { Device } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { attention, attentionBackward } from "../../src/kernels/attention.ts";
import { attentionDecode, decodeAppend, decodeCache } from "../../src/kernels/attention_decode.ts";
import { cast } from "../../src/kernels/cast.ts";
import { addNorm, layerNorm, layerNormBackward } from "../../src/kernels/layer_norm.ts";
import { linearRow, rowNorm, rowWeight } from "../../src/kernels/linear_row.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { quantizedMatmul, uploadPacked } from "../../src/kernels/quantized.ts";
import { record } from "../../src/profiling/record.ts";
import { assertClose, numbers } from "../compare.ts";
import { openDevices, upload } from "./devices.ts";

const random = (device: Device, ...shape: number[]): Tensor =>
  upload(device, numbers(shape.reduce((a, b) => a * b), shape.length), shape);

/** Calls by the first words of their classes, each of which writes what it returns. */
function calls(device: Device): [kernel: string, call: () => Tensor][] {
  const made = (...shape: number[]) => random(device, ...shape);
  const x = made(3, 29, 36);
  const norm = { weight: made(36), bias: made(36), epsilon: 1e-5 };
  const saved = { x, weight: norm.weight, mean: made(3 * 29), rstd: made(3 * 29) };
  const row = rowWeight(made(36, 197), { transposed: false });
  const packed = uploadPacked(
    device,
    packMatrix(numbers(300 * 197, 4), { inputs: 300, outputs: 197, format: "int8", group: 32 }),
  );
  // Long enough for a processor to have two variants.
  const qkv = made(1, 131, 3 * 36);
  const dOut = made(1, 131, 36);
  const options = { heads: 3, causal: true };
  const attended = attention(qkv, options);
  const cache = decodeCache(device, { layers: 1, batch: 3, heads: 3, headSize: 12, capacity: 29 });
  for (let past = 0; past < 13; past++) {
    decodeAppend(made(3, 1, 3 * 36), cache, { past, layer: 0 });
  }
  const [halfX, halfQkv, halfDOut, halfRows] = [x, qkv, dOut, made(3 * 29, 13)].map((tensor) =>
    cast(tensor, "f16")
  );
  const halfAttended = attention(halfQkv, options);
  const backward = (dOut: Tensor, { x }: { x: Tensor }): Tensor => {
    const dX = device.zeros(x.shape, x.dtype);
    layerNormBackward(dOut, { ...saved, x }, { dX, accumulate: true });
    return dX;
  };
  return [
    ["matmul", () => matmul(x, made(36, 13))],
    ["attention forward", () => attention(qkv, options).out],
    ["attention backward", () => attentionBackward(qkv, dOut, { ...options, saved: attended })],
    ["attention_decode", () => attentionDecode(made(3, 1, 3 * 36), cache, { past: 13, layer: 0 })],
    ["layer_norm forward", () => layerNorm(x, norm).out],
    ["layer_norm added", () => addNorm(x, x, norm).out],
    ["layer_norm backward", () => backward(x, { x })],
    ["linear_row", () => linearRow(made(5, 36), row, { norm: rowNorm(norm), gelu: "erf" })],
    ["quantized", () => quantizedMatmul(made(3, 300), packed)],
    ["matmul", () => matmul(halfX, cast(made(36, 13), "f16"), { bias: made(13) })],
    ["matmul", () => matmul(halfX, halfRows, { transposeA: true, out: made(36, 13) })],
    ["attention forward", () => attention(halfQkv, options).out],
    [
      "attention backward",
      () => attentionBackward(halfQkv, halfDOut, { ...options, saved: halfAttended }),
    ],
    ["layer_norm added", () => addNorm(halfX, halfX, norm).out],
    ["layer_norm backward", () => backward(halfX, { x: halfX })],
  ];
}

/** Kernels of which a processor has one variant. */
const ALONE = ["attention_decode", "layer_norm", "linear_row", "quantized"];

for (const [name, device] of await openDevices()) {
  Deno.test(`variants, ${name}: every candidate is right, and runs where it is chosen`, async () => {
    using _scope = device.scope();
    for (const [kernel, run] of calls(device)) {
      const [noted, ...rest] = (await device.variants.note(() => void run()))
        .filter(({ key }) => key.startsWith(kernel));
      assert.deepEqual([noted?.count, rest], [1, []], `${kernel} is one class`);
      const { key, shipped, call: { candidates, prepare, tolerance: bound = 1e-5 } } = noted;
      assert.equal(
        candidates.length > 0,
        name === "graphics" || !ALONE.includes(kernel.split(" ")[0]),
        key,
      );
      assert.ok(!candidates.includes(shipped), key);
      const trial = prepare(device, (shape) => random(device, ...shape));
      const results = async (variant: string): Promise<Float32Array[]> => {
        for (const { buffer } of trial.outputs) device.commands.clear(buffer);
        trial.run(variant);
        return await device.read(...trial.outputs) as Float32Array[];
      };
      const whole = async (): Promise<Float32Array> => {
        const [numbers] = await device.read(run());
        return numbers as Float32Array;
      };
      const launched = async (): Promise<string> => {
        const { events } = await record(device, () => void run(), { replay: false });
        return JSON.stringify(
          events.filter((e) => e.kernel).map((e) => [e.name, e.overrides, e.workgroups]),
        );
      };
      const expected = await results(shipped);
      for (const variant of candidates) {
        (await results(variant)).forEach((found, i) => {
          assertClose(found, expected[i], { bound, label: `${key}: ${variant}` });
        });
      }
      const [usual, numbers] = [await launched(), await whole()];
      for (const variant of candidates) {
        device.variants.use({ [key]: variant });
        assert.notEqual(await launched(), usual, `${key}: ${variant} runs where it is chosen`);
        assertClose(await whole(), numbers, { bound, label: `${key} by ${variant}` });
      }
      device.variants.use({ [key]: "of another release" });
      assert.equal(await launched(), usual, `${key}: what is unknown is not run`);
      device.variants.use({});
    }
  });
}
