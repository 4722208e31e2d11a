/**
 * Products with a matrix whose weights are packed into words, and the matrix itself.
 *
 * @module
 */
import source from "../../shaders/quantized.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { BITS, packedShapes, packMatrix } from "../formats/quantized_matrix.ts";
import type { PackedMatrix, Packing } from "../formats/quantized_matrix.ts";
import type { Device } from "../gpu/device.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { callClass, sizeClass } from "./call_class.ts";
import { both, lanesOf, perElement } from "./launch.ts";
import { matmul } from "./matmul.ts";
import { chooseWorkgroup, type Workgroup, type WorkgroupTrial } from "./workgroups.ts";

const kernel = new Kernel("quantized", source);

/** A packed matrix on the device. */
export interface QuantizedMatrix extends Packing {
  /** The inner dimension, K. */
  inputs: number;
  /** Columns, N. */
  outputs: number;
  /** Words, as {@linkcode PackedMatrix} has them. */
  words: Tensor;
  /** Scales, two bfloat16 to a word; the words again where the format has none. */
  scales: Tensor;
}

/** Fours of columns side by side, and parts of k, which fill a GPU where there are few columns. */
const ON_GPU: Workgroup = [16, 8];
/** Others: of few columns and many parts, and the other way round. */
const OTHERS_ON_GPU: readonly Workgroup[] = [[8, 16], [16, 4], [32, 4], [32, 8], [64, 2], [64, 1]];

/** Rows up to which a product reads the packed weights itself. */
const FEW_ROWS = 8;

/** Copies a packed matrix to the device. */
export function uploadPacked(device: Device, packed: PackedMatrix): QuantizedMatrix {
  const { inputs, outputs, format, group } = packed;
  const shapes = packedShapes(packed);
  const words = device.upload(packed.words, shapes.words);
  const scales = packed.scales.length === 0
    ? words
    : device.upload(new Uint32Array(packed.scales.buffer), [
      shapes.scales[0],
      shapes.scales[1] / 2,
    ]);
  return { inputs, outputs, format, group, words, scales };
}

/** Copies a packed matrix back to the host. */
export async function readPacked(device: Device, matrix: QuantizedMatrix): Promise<PackedMatrix> {
  const { inputs, outputs, format, group } = matrix;
  const [words, scales] = await device.read(matrix.words, matrix.scales);
  return {
    inputs,
    outputs,
    format,
    group,
    words: words as Uint32Array<ArrayBuffer>,
    scales: new Uint16Array(format === "f16" ? [] : scales.buffer),
  };
}

/**
 * `out = x·W [+ bias] [+ out]`, with x (…, K) and W (K, N): (…, N).
 *
 * A few rows, as generation has them, are multiplied from the packed words: each weight is read once
 * and lives in registers only. For more rows the matrix is unpacked into a tensor first, which costs
 * little beside the product, and the product is the one that is tuned for this adapter.
 *
 * @throws {VitrailError} if the inner dimensions differ.
 */
export function quantizedMatmul(
  x: Tensor,
  matrix: QuantizedMatrix,
  options: { bias?: Tensor; out?: Tensor; accumulate?: boolean; unpacked?: boolean } = {},
): Tensor {
  const { inputs: k, outputs: n, format } = matrix;
  const { bias, accumulate = false } = options;
  const m = x.size / x.shape.at(-1)!;
  if (x.shape.at(-1) !== k) {
    throw new VitrailError(
      `Cannot multiply (${x.shape.join(", ")}) by ${format} weights (${k}, ${n}): ` +
        `inner dimensions must match, got ${x.shape.at(-1)} and ${k}`,
    );
  }
  if (options.unpacked ?? m > FEW_ROWS) {
    const weight = unpackMatrix(matrix);
    const out = matmul(x, weight, { bias, out: options.out, accumulate });
    x.device.pool.release(weight.buffer);
    return out;
  }
  if (bias && bias.size !== n) {
    throw new VitrailError(`Cannot add a bias of ${bias.size} to rows of ${n}: sizes must match`);
  }
  const out = options.out ?? x.device.tensor([...x.shape.slice(0, -1), n]);
  if (out.size !== m * n) {
    throw new VitrailError(
      `Cannot write a (${m}, ${n}) product into (${out.shape.join(", ")}): sizes must match`,
    );
  }
  const sizes = [m, sizeClass(n), sizeClass(k)];
  const key = callClass(`quantized ${format}`, sizes, [k % 8 !== 0 && "odd"]);
  const workgroup = chooseWorkgroup(x.device, key, {
    usual: x.device.isCpu ? [lanesOf(x.device), 1] : ON_GPU,
    trial: () => trialOf(x.device, m, matrix),
  });
  multiply(x, matrix, { bias, out, accumulate, workgroup });
  return out;
}

/** Records the product of a few rows by one workgroup. */
function multiply(
  x: Tensor,
  { inputs: k, outputs: n, format, group, words, scales }: QuantizedMatrix,
  options: { bias?: Tensor; out: Tensor; accumulate?: boolean; workgroup: Workgroup },
): void {
  const { bias, out, accumulate = false, workgroup: [fours, splits] } = options;
  const m = x.size / k;
  const rowsEach = m > 1 ? 4 : 1;
  x.device.dispatch(kernel, "forward", {
    bindings: { ...both({ x }), words, scales, bias: bias ?? x, out },
    uniforms: { m, n, k, group, time: 1, offset: 0 },
    overrides: {
      bits: BITS[format],
      rows_each: rowsEach,
      odd_k: k % 8 !== 0,
      has_bias: bias !== undefined,
      accumulate,
      lanes: fours * splits,
      splits,
    },
    workgroups: [Math.ceil(n / 4 / fours), Math.ceil(m / rowsEach)],
  });
}

/** What a tuner needs to compare workgroups on `m` rows by such a matrix. */
function trialOf(device: Device, m: number, matrix: QuantizedMatrix): WorkgroupTrial {
  const { inputs, outputs } = matrix;
  return {
    others: device.isCpu ? [] : OTHERS_ON_GPU,
    flops: 2 * m * inputs * outputs,
    prepare: (random) => {
      const weights = Float32Array.from({ length: inputs * outputs }, (_, i) => Math.sin(i));
      const packed = uploadPacked(device, packMatrix(weights, matrix));
      const [x, out] = [random([m, inputs]), device.zeros([m, outputs])];
      return {
        outputs: [out],
        run: (workgroup) => multiply(x, packed, { out, workgroup }),
      };
    },
  };
}

/** The matrix as f32: (K, N). */
export function unpackMatrix(matrix: QuantizedMatrix): Tensor {
  const { inputs: k, outputs: n, format, group, words, scales } = matrix;
  const { device } = words;
  const out = device.tensor([k, n]);
  const { overrides, workgroups } = perElement(device, Math.ceil(n / 4), Math.ceil(k / 8));
  device.dispatch(kernel, n % 4 ? "unpack_odd" : "unpack", {
    bindings: { words, scales, out, out_fours: out },
    uniforms: { m: 0, n, k, group, time: 1, offset: 0 },
    overrides: { ...overrides, bits: BITS[format] },
    workgroups,
  });
  return out;
}

/**
 * `W[:, ids] + position[offset + t]`: ids (B, T) and W (C, V), which is a table (V, C) as the right
 * operand of the product with its transpose, to (B, T, C).
 */
export function quantizedEmbedding(
  ids: Tensor,
  tables: { token: QuantizedMatrix; position?: Tensor; offset?: number },
): Tensor {
  const { token, position, offset = 0 } = tables;
  const { inputs: k, outputs: n, format, group, words, scales } = token;
  const { device, size: m } = ids;
  const out = device.tensor([...ids.shape, k]);
  const { overrides, workgroups } = perElement(device, k, m);
  device.dispatch(kernel, "lookup", {
    bindings: { ids, words, scales, position: position ?? scales, out },
    uniforms: { m, n, k, group, time: ids.shape.at(-1)!, offset },
    overrides: { ...overrides, bits: BITS[format], has_position: position !== undefined },
    workgroups,
  });
  return out;
}
