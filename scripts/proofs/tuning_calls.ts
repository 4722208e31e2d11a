/**
 * The calls that the proof of the tuner judges: what training, fine-tuning and generation make of one
 * block's layers, each under the name of what it belongs to.
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { attention, attentionBackward } from "../../src/kernels/attention.ts";
import { linearRow, rowNorm, type RowWeight } from "../../src/kernels/linear_row.ts";
import { matmul, type MatmulOptions } from "../../src/kernels/matmul.ts";
import { texels } from "../../src/kernels/texels.ts";

/** A call under its name; it allocates what it needs. */
export type NamedCall = [name: string, call: () => void];

/** All calls, in sizes that suit the device. */
export function callsOf(device: Device): NamedCall[] {
  const [rows, C, V] = device.isCpu ? [768, 128, 1024] : [8192, 768, 50257];
  return [
    ...linear(device, "qkv", [rows, 3 * C, C]),
    ...linear(device, "projection", [rows, C, C]),
    ...linear(device, "mlp in", [rows, 4 * C, C]),
    ...linear(device, "mlp out", [rows, C, 4 * C]),
    ["logits", () => multiply(device, [rows, V, C], { transposeB: true })],
    ["logits dX", () => multiply(device, [rows, C, V])],
    ["logits dWeight", () => dWeight(device, [V, C, rows])],
    ["LoRA down", () => multiply(device, [rows, 8, C], { transposeB: true })],
    ["LoRA up", () => multiply(device, [rows, C, 8], { transposeB: true })],
    ["LoRA dDown", () => dWeight(device, [8, C, rows])],
    ["LoRA dUp", () => dWeight(device, [C, 8, rows])],
    ...linear(device, "labels", [rows, 4, C]),
    ...attentions(device, "GPT", { batch: rows / 64, heads: C / 32, time: 64, headSize: 32 }, true),
    ...attentions(device, "BERT", { batch: rows / 32, heads: C / 32, time: 32, headSize: 32 }),
    ...attentions(device, "long", { batch: 4, heads: 6, time: 512, headSize: 64 }, true),
    // A processor has one way to take a few rows through a weight.
    ...device.isCpu ? [] : token(device, "a token", [1, C, V]),
    ...device.isCpu ? [] : token(device, "a token of 8 texts", [8, C, V]),
    ...prompt(device, "a prompt of 13", [13, C, V]),
  ];
}

type Product = readonly [m: number, n: number, k: number];

function multiply(
  device: Device,
  [m, n, k]: Product,
  options: MatmulOptions & { hasBias?: boolean } = {},
): void {
  const { transposeA, transposeB, accumulate, hasBias } = options;
  const zeros = (...shape: number[]): Tensor => device.zeros(shape);
  matmul(transposeA ? zeros(k, m) : zeros(m, k), transposeB ? zeros(n, k) : zeros(k, n), {
    ...options,
    bias: hasBias ? zeros(n) : undefined,
    out: accumulate ? zeros(m, n) : undefined,
  });
}

function dWeight(device: Device, product: Product): void {
  multiply(device, product, { transposeA: true, accumulate: true });
}

/** The three products of a linear layer's training. */
function linear(device: Device, name: string, [m, n, k]: Product): NamedCall[] {
  return [
    [`${name} forward`, () => multiply(device, [m, n, k], { hasBias: true })],
    [`${name} dX`, () => multiply(device, [m, k, n], { transposeB: true })],
    [`${name} dWeight`, () => dWeight(device, [k, n, m])],
  ];
}

/** Both passes of attention. */
function attentions(
  device: Device,
  name: string,
  size: { batch: number; heads: number; time: number; headSize: number },
  causal = false,
): NamedCall[] {
  const { batch, heads, time, headSize } = size;
  const shape = [batch, time, heads * headSize];
  const operands = () => ({
    qkv: device.zeros([batch, time, 3 * heads * headSize]),
    options: { heads, causal, mask: causal ? undefined : device.zeros([batch, time]) },
  });
  return [
    [`${name} attention forward`, () => {
      const { qkv, options } = operands();
      attention(qkv, options);
    }],
    [`${name} attention backward`, () => {
      const { qkv, options } = operands();
      const out = device.zeros(shape);
      const saved = { out, logSumExp: device.zeros([batch, heads, time]) };
      attentionBackward(qkv, device.zeros(shape), { ...options, saved });
    }],
  ];
}

/** The products of a block's layers by a few rows, which generation takes through `linearRow`. */
function token(device: Device, name: string, [m, C, V]: Product): NamedCall[] {
  const row = (n: number, k: number, options: { norm?: boolean; transposed?: boolean }) => () => {
    const { norm = false, transposed = false } = options;
    const shape = transposed ? [n, k] : [k, n];
    const weight: RowWeight = {
      ...texels(device.zeros(shape), 0),
      inputs: k,
      outputs: n,
      transposed,
    };
    const [scale, shift] = [device.zeros([k]), device.zeros([k])];
    linearRow(device.zeros([m, k]), weight, {
      norm: norm ? rowNorm({ weight: scale, bias: shift, epsilon: 1e-5 }) : undefined,
    });
  };
  return [
    [`${name} qkv`, row(3 * C, C, { norm: true })],
    [`${name} projection`, row(C, C, {})],
    [`${name} mlp in`, row(4 * C, C, { norm: true })],
    [`${name} mlp out`, row(C, 4 * C, {})],
    [`${name} logits`, row(V, C, { norm: true, transposed: true })],
  ];
}

/** The same by the rows of a prompt. */
function prompt(device: Device, name: string, [m, C, V]: Product): NamedCall[] {
  const forward = (n: number, k: number) => () => multiply(device, [m, n, k], { hasBias: true });
  return [
    [`${name} qkv`, forward(3 * C, C)],
    [`${name} projection`, forward(C, C)],
    [`${name} mlp in`, forward(4 * C, C)],
    [`${name} mlp out`, forward(C, 4 * C)],
    [`${name} logits`, () => multiply(device, [m, V, C], { transposeB: true })],
  ];
}
