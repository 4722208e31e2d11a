/**
 * Sums over rows: the gradients of biases and of layer norm's parameters.
 *
 * @module
 */
import source from "../../shaders/column_sum.wgsl" with { type: "text" };
import type { Device } from "../gpu/device.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { both, perElement } from "./launch.ts";

const kernel = new Kernel("column_sum", source);

/** A sum of columns (C), and whether to add to what it holds. */
export interface ColumnTarget {
  /** Where it goes. */
  tensor: Tensor;
  /** Add in place of overwriting. */
  accumulate: boolean;
}

/** What a layer norm left for its backward pass. */
export interface NormalizedRows {
  /** Input of the layer norm (…, C). */
  x: Tensor;
  /** Mean of each row. */
  mean: Tensor;
  /** Reciprocal standard deviation of each row. */
  rstd: Tensor;
}

/** Adds the rows of dOut (…, C) into out (C): `Σ_r dOut[r]`. */
export function columnSum(dOut: Tensor, out: Tensor, options: { accumulate: boolean }): void {
  addRows(dOut, "sum", { plain: { tensor: out, ...options } });
}

/**
 * Both sums of a layer norm in one pass over dOut (…, C): `Σ_r dOut[r]`, its bias's gradient, and
 * `Σ_r dOut[r]·x̂[r]`, its weight's. One that nobody asks for is dropped.
 */
export function normalizedColumnSums(
  dOut: Tensor,
  rows: NormalizedRows,
  targets: { bias?: ColumnTarget; weight?: ColumnTarget },
): void {
  const { device } = dOut;
  const columns = dOut.shape.at(-1)!;
  const unasked: Tensor[] = [];
  const orNobody = (target: ColumnTarget | undefined): ColumnTarget => {
    if (target) return target;
    const tensor = device.tensor([columns]);
    unasked.push(tensor);
    return { tensor, accumulate: false };
  };
  const [plain, scaled] = [orNobody(targets.bias), orNobody(targets.weight)];
  addRows(dOut, "normalized", { plain, scaled, rows });
  unasked.forEach(({ buffer }) => device.pool.release(buffer));
}

/** Rows that one invocation adds: few workgroups occupy a processor, and a GPU wants many. */
function chunkOf({ isCpu }: Device): number {
  return isCpu ? 256 : 64;
}

function addRows(
  dOut: Tensor,
  entry: "sum" | "normalized",
  options: { plain: ColumnTarget; scaled?: ColumnTarget; rows?: NormalizedRows },
): void {
  const { plain, scaled, rows: { x, mean, rstd } = {} } = options;
  const { device } = dOut;
  const columns = dOut.shape.at(-1)!;
  const rows = dOut.size / columns;
  const chunk = chunkOf(device);
  const chunks = Math.ceil(rows / chunk);
  const width = scaled ? 2 * columns : columns;
  const partial = device.tensor([chunks, width]);
  const uniforms = { rows, columns, chunk, chunks };
  const odd = columns % 4 !== 0;
  device.dispatch(kernel, odd ? `${entry}_odd` : entry, {
    bindings: {
      ...both({ d_out: dOut, partial, ...x && { x } }),
      ...mean && rstd && { mean, rstd },
    },
    uniforms,
    ...perElement(device, odd ? columns : columns / 4, chunks),
  });
  const launch = perElement(device, width, 1);
  const { accumulate } = plain;
  device.dispatch(kernel, scaled ? "finish_both" : "finish", {
    bindings: { partial_odd: partial, out: plain.tensor, ...scaled && { scaled: scaled.tensor } },
    uniforms,
    ...launch,
    overrides: {
      ...launch.overrides,
      accumulate,
      ...scaled && { accumulate_scaled: scaled.accumulate },
    },
  });
  device.pool.release(partial.buffer);
}
