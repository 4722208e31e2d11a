/**
 * Sums over rows: gradients of what is added to, or multiplies, every row.
 *
 * @module
 */
import source from "../../shaders/column_sum.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("column_sum", source);

/** Rows that one invocation adds: few enough to occupy the adapter, enough to be worth a launch. */
const CHUNK = 64;

/** What `columnSum` multiplies each row by before it adds. */
export interface NormalizedRows {
  /** Input of the layer norm (…, C). */
  x: Tensor;
  /** Mean of each row. */
  mean: Tensor;
  /** Reciprocal standard deviation of each row. */
  rstd: Tensor;
}

/**
 * Adds the rows of dOut (…, C) into out (C): `Σ_r dOut[r]`, or `Σ_r dOut[r]·x̂[r]` with `normalized`.
 */
export function columnSum(
  dOut: Tensor,
  out: Tensor,
  options: { accumulate: boolean; normalized?: NormalizedRows },
): void {
  const { device } = dOut;
  const columns = dOut.shape.at(-1)!;
  const rows = dOut.size / columns;
  const chunks = Math.ceil(rows / CHUNK);
  const partial = device.tensor([chunks, columns]);
  const uniforms = { rows, columns, chunk: CHUNK, chunks };
  const { normalized } = options;
  device.dispatch(kernel, normalized ? "normalized" : "sum", {
    bindings: { d_out: dOut, partial, ...normalized },
    uniforms,
    ...perElement(device, columns, chunks),
  });
  const { overrides, workgroups } = perElement(device, columns, 1);
  device.dispatch(kernel, "finish", {
    bindings: { partial, out },
    uniforms,
    overrides: { ...overrides, accumulate: options.accumulate },
    workgroups,
  });
  device.pool.release(partial.buffer);
}
