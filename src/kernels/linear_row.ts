/**
 * A linear layer on a few rows, with layer norm before it and GELU behind it: a step of generation is
 * little else.
 *
 * @module
 */
import source from "../../shaders/linear_row.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { callClass, sizeClass } from "./call_class.ts";
import type { GeluKind } from "./gelu.ts";
import { lanesOf } from "./launch.ts";
import { type TexelMatrix, texels } from "./texels.ts";
import { chooseWorkgroup, type Workgroup, type WorkgroupTrial } from "./workgroups.ts";

const kernel = new Kernel("linear_row", source);

/** Rows that one invocation computes, at most. */
const MOST_ROWS = 4;
/** Fours of columns side by side, and parts of k, which fill a GPU where there are few columns. */
const ON_GPU: Workgroup = [16, 16];
/** Others: of few columns and many parts, and the other way round. */
const OTHERS_ON_GPU: readonly Workgroup[] = [[8, 32], [32, 8], [64, 4], [16, 8], [8, 16], [64, 1]];

/** A weight as `linearRow` reads it: a copy in a texture, which lives until it is released. */
export interface RowWeight extends TexelMatrix {
  /** K. */
  inputs: number;
  /** N. */
  outputs: number;
  /** Whether it lies (N, K). */
  transposed: boolean;
}

/** Copies a weight (in, out), or (out, in) if `transposed`, into a texture of its own. */
export function rowWeight(weight: Tensor, { transposed }: { transposed: boolean }): RowWeight {
  const [rows, columns] = weight.shape;
  const [inputs, outputs] = transposed ? [columns, rows] : [rows, columns];
  return { ...texels(weight, "own"), inputs, outputs, transposed };
}

/** Parameters of a layer norm side by side, as `linearRow` reads them. */
export interface RowNorm {
  /** Weight and bias, each filled up with zeros to whole vectors of four. */
  parameters: Tensor;
  /** Weight alone. */
  weight: Tensor;
  /** Bias alone. */
  bias: Tensor;
  /** Added to the variance. */
  epsilon: number;
}

/** Copies the parameters of a layer norm side by side. */
export function rowNorm(
  { weight, bias, epsilon }: { weight: Tensor; bias: Tensor; epsilon: number },
): RowNorm {
  const { device, size } = weight;
  const row = 4 * Math.ceil(size / 4);
  const parameters = device.zeros([2, row]);
  device.commands.copy(weight.buffer, parameters.buffer, 4 * size);
  device.commands.copy(bias.buffer, parameters.buffer, 4 * size, { target: 4 * row });
  return { parameters, weight, bias, epsilon };
}

/** What is done beside the product. */
export interface LinearRowOptions {
  /** Normalizes x first. */
  norm?: RowNorm;
  /** N numbers, added to each row. */
  bias?: Tensor;
  /** Applied to the sum. */
  gelu?: GeluKind;
  /** Where it goes; a new tensor if absent. */
  out?: Tensor;
  /** Add to what `out` holds in place of overwriting it. */
  accumulate?: boolean;
}

/**
 * `gelu(norm(x)·W + bias) [+ out]` of x (…, K): (…, N). Rows beyond four read the weight once more.
 *
 * @throws {VitrailError} if rows of x are not as long as the weight is deep
 */
export function linearRow(x: Tensor, weight: RowWeight, options: LinearRowOptions = {}): Tensor {
  const { norm } = options;
  const { device } = x;
  const { inputs: k, outputs: n, transposed } = weight;
  if (x.shape.at(-1) !== k) {
    throw new VitrailError(
      `Cannot multiply (${x.shape.join(", ")}) by (${k}, ${n}): inner dimensions must match`,
    );
  }
  const out = options.out ?? device.tensor([...x.shape.slice(0, -1), n]);
  const m = x.size / k;
  const key = callClass("linear_row", [m, sizeClass(n), sizeClass(k)], [
    transposed && "transposed",
    norm && "norm",
    k % 4 !== 0 && "odd",
  ]);
  const workgroup = chooseWorkgroup(device, key, {
    usual: device.isCpu ? [lanesOf(device), 1] : ON_GPU,
    trial: () => trialOf(device, m, { weight, norm: norm !== undefined }),
  });
  launch(x, weight, { ...options, out, workgroup });
  return out;
}

/** Records one call by one workgroup. */
function launch(
  x: Tensor,
  weight: RowWeight,
  options: LinearRowOptions & { out: Tensor; workgroup: Workgroup },
): void {
  const { norm, bias, gelu, out, accumulate = false, workgroup: [columns, splits] } = options;
  const { device } = x;
  const { inputs: k, outputs: n, stride, transposed } = weight;
  const m = x.size / k;
  const fours = Math.ceil(k / 4);
  const rows = norm ? rowsThatFit(device, m, { fours, lanes: columns * splits }) : rowsOf(m);
  device.dispatch(kernel, "forward", {
    bindings: {
      x,
      x_odd: x,
      norm: norm?.parameters ?? x,
      weight: weight.texture,
      bias: bias ?? x,
      out,
    },
    uniforms: { m, n, k, stride, epsilon: norm?.epsilon ?? 0 },
    overrides: {
      transposed,
      odd: k % 4 !== 0,
      normalize: norm !== undefined,
      has_bias: bias !== undefined,
      gelu: gelu !== undefined,
      exact: gelu === "erf",
      accumulate,
      rows,
      columns,
      splits,
      staged: norm ? rows * fours : 1,
    },
    workgroups: [Math.ceil(n / 4 / columns), Math.ceil(m / rows)],
  });
}

/** What a tuner needs to compare workgroups on `m` rows by such a weight. */
function trialOf(
  device: Device,
  m: number,
  { weight: { inputs, outputs, transposed }, norm }: { weight: RowWeight; norm: boolean },
): WorkgroupTrial {
  return {
    // On a processor larger ones win or lose by how many of its threads are free just then.
    others: device.isCpu ? [] : OTHERS_ON_GPU,
    flops: 2 * m * inputs * outputs,
    prepare: (random) => {
      const matrix = random(transposed ? [outputs, inputs] : [inputs, outputs]);
      const weight = { ...texels(matrix, 0), inputs, outputs, transposed };
      const [x, scale, shift] = [[m, inputs], [inputs], [inputs]].map(random);
      const options = {
        norm: norm ? rowNorm({ weight: scale, bias: shift, epsilon: 1e-5 }) : undefined,
        out: device.zeros([m, outputs]),
      };
      return {
        outputs: [options.out],
        run: (workgroup) => launch(x, weight, { ...options, workgroup }),
      };
    },
  };
}

/** As few reads of the weight as can be, and rows shared out evenly between them. */
function rowsOf(m: number, most = MOST_ROWS): number {
  return Math.ceil(m / Math.ceil(m / most));
}

/** The same, where the rows must find room in workgroup memory. */
function rowsThatFit(
  device: Device,
  m: number,
  { fours, lanes }: { fours: number; lanes: number },
): number {
  const room = device.raw.limits.maxComputeWorkgroupStorageSize / 16 - lanes;
  return rowsOf(m, Math.max(1, Math.min(MOST_ROWS, Math.floor(room / fours))));
}
