/**
 * Layer norm over the last dimension, alone or behind a residual connection.
 *
 * @module
 */
import source from "../../shaders/layer_norm.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { HALF_TOLERANCE } from "../gpu/variants.ts";
import { callClass, sizeClass } from "./call_class.ts";
import { cast } from "./cast.ts";
import { both, perRow, usualTeam } from "./launch.ts";
import { chooseWorkgroup, type Workgroup, type WorkgroupTrial } from "./workgroups.ts";

const kernel = new Kernel("layer_norm", source);

/** What the forward pass leaves for the backward pass. */
export interface LayerNormResult {
  /** Normalized rows, of x's shape. */
  out: Tensor;
  /** Mean of each row. */
  mean: Tensor;
  /** 1/√(variance + epsilon) of each row. */
  rstd: Tensor;
}

/** Throws if weight and bias are not as long as the rows of x. */
function checkNorm(x: Tensor, { weight, bias }: { weight: Tensor; bias: Tensor }): void {
  const columns = x.shape.at(-1)!;
  if (weight.size === columns && bias.size === columns) return;
  throw new VitrailError(
    `Cannot normalize rows of ${columns} with ${weight.size} weights and ${bias.size} biases: ` +
      "sizes must match",
  );
}

/** Normalizes each row of x (…, C) and applies weight and bias (C). */
export function layerNorm(
  x: Tensor,
  parameters: { weight: Tensor; bias: Tensor; epsilon: number },
): LayerNormResult {
  const { weight, bias, epsilon } = parameters;
  checkNorm(x, parameters);
  const out = x.device.tensor(x.shape, x.dtype);
  const [mean, rstd] = [0, 1].map(() => x.device.tensor([rowsOf(x)]));
  launch("forward", x, { tensors: { x, weight, bias, out }, statistics: { mean, rstd }, epsilon });
  return { out, mean, rstd };
}

/** `sum = a + b` (…, C), and each of its rows normalized with weight and bias (C). */
export function addNorm(
  a: Tensor,
  b: Tensor,
  parameters: { weight: Tensor; bias: Tensor; epsilon: number },
): LayerNormResult & { sum: Tensor } {
  const { weight, bias, epsilon } = parameters;
  if (a.size !== b.size) {
    throw new VitrailError(
      `Cannot add (${a.shape.join(", ")}) and (${b.shape.join(", ")}): shapes must match`,
    );
  }
  checkNorm(a, parameters);
  const [sum, out] = [0, 1].map(() => a.device.tensor(a.shape, a.dtype));
  const [mean, rstd] = [0, 1].map(() => a.device.tensor([rowsOf(a)]));
  launch("added", a, {
    tensors: { x: a, y: b, weight, bias, residual: sum, out },
    statistics: { mean, rstd },
    epsilon,
  });
  return { sum, out, mean, rstd };
}

/** Writes or adds the gradient of x into `dX`; `column_sum.ts` has those of weight and bias. */
export function layerNormBackward(
  dOut: Tensor,
  saved: { x: Tensor; weight: Tensor; mean: Tensor; rstd: Tensor },
  options: { dX: Tensor; accumulate: boolean },
): void {
  const { x, weight, mean, rstd } = saved;
  const { dX, accumulate } = options;
  launch("backward", x, {
    tensors: { x, weight, d_out: dOut, d_x: dX },
    statistics: { mean, rstd },
    accumulate,
  });
}

type Entry = "forward" | "added" | "backward";

/** What an entry point binds, by its names for vectors of four, and the sizes and flags it is given. */
interface Norm {
  tensors: Record<string, Tensor>;
  statistics: { mean: Tensor; rstd: Tensor };
  epsilon?: number;
  accumulate?: boolean;
}

const rowsOf = (x: Tensor): number => x.size / x.shape.at(-1)!;

/** Records one call over the rows of x, with as many lanes to a row as are known to be fast. */
function launch(entry: Entry, x: Tensor, norm: Norm): void {
  const columns = x.shape.at(-1)!;
  const sizes = [rowsOf(x), columns].map(sizeClass);
  const key = callClass(`layer_norm ${entry}`, sizes, [
    columns % 4 !== 0 && "odd",
    norm.accumulate && "accumulates",
    x.dtype === "f16" && "f16",
  ]);
  const team = chooseWorkgroup(x.device, key, {
    usual: usualTeam(x.device),
    trial: () => trialOf(entry, x, norm),
  });
  launchBy(team, entry, norm);
}

function launchBy(team: Workgroup, entry: Entry, norm: Norm): void {
  const { tensors, statistics, epsilon = 0, accumulate = false } = norm;
  const { device, shape } = tensors.x;
  const columns = shape.at(-1)!;
  const rows = rowsOf(tensors.x);
  const isOdd = columns % 4 !== 0;
  const { overrides, workgroups } = perRow(device, rows, {
    team,
    rounds: 3 * (isOdd ? columns : columns / 4),
  });
  device.dispatch(kernel, isOdd ? `${entry}_odd` : entry, {
    bindings: { ...both(tensors), ...statistics },
    uniforms: { row_count: rows, columns, epsilon },
    overrides: entry === "backward" ? { ...overrides, accumulate } : overrides,
    workgroups,
  });
}

/** Rows and lanes that a GPU may prefer: more lanes where rows are long or few. */
const OTHERS_ON_GPU: readonly Workgroup[] = [[8, 8], [4, 16], [4, 32], [1, 64], [1, 128], [1, 256]];

/** What a tuner needs to compare teams on rows like those of x. */
function trialOf(entry: Entry, x: Tensor, { tensors, accumulate }: Norm): WorkgroupTrial {
  const { device } = x;
  const written = { forward: ["out"], added: ["residual", "out"], backward: ["d_x"] }[entry];
  return {
    others: device.isCpu ? [] : OTHERS_ON_GPU,
    flops: 10 * x.size,
    tolerance: x.dtype === "f16" ? HALF_TOLERANCE : undefined,
    prepare: (random) => {
      const made = Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, dtype }]) => [
          name,
          written.includes(name) ? device.zeros(shape, dtype) : cast(random(shape), dtype),
        ]),
      );
      const [mean, rstd] = [0, 1].map(() => random([rowsOf(x)]));
      const norm = { tensors: made, statistics: { mean, rstd }, epsilon: 1e-5, accumulate };
      return {
        outputs: written.map((name) => made[name]),
        run: (team) => launchBy(team, entry, norm),
      };
    },
  };
}
