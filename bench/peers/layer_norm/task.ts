/**
 * Layer norm, again and again.
 *
 * @module
 */
import { seededNumbers } from "../../harness.ts";
import { difference } from "../results.ts";
import type { Problem, Task } from "../task.ts";
import { jaxJs } from "./jax_js.ts";
import { onnxruntimeWeb } from "./onnxruntime_web.ts";
import { tfjs } from "./tfjs.ts";
import { vitrail } from "./vitrail.ts";

/** A call turns x into its norm; the next one takes that. */
export interface LayerNormData {
  /** Rows of x. */
  rows: number;
  /** C. */
  columns: number;
  /** Added to the variance. */
  epsilon: number;
  /** (rows, columns). */
  x: Float32Array<ArrayBuffer>;
  /** (columns). */
  weight: Float32Array<ArrayBuffer>;
  /** (columns). */
  bias: Float32Array<ArrayBuffer>;
}

function differenceToExact(data: LayerNormData, result: ArrayLike<number>): number {
  const { rows, columns, epsilon, weight, bias } = data;
  const exact = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    const x = Array.from(data.x.subarray(r * columns, (r + 1) * columns));
    const mean = x.reduce((a, b) => a + b) / columns;
    const variance = x.reduce((sum, y) => sum + (y - mean) ** 2, 0) / columns;
    exact.set(
      x.map((y, c) => (y - mean) / Math.sqrt(variance + epsilon) * weight[c] + bias[c]),
      r * columns,
    );
  }
  return difference(exact, result);
}

function problem(rows: number, columns: number): Problem<LayerNormData> {
  const data = {
    rows,
    columns,
    epsilon: 1e-5,
    x: seededNumbers(rows * columns, 1),
    weight: seededNumbers(columns, 2).map((x) => 1 + x / 4),
    bias: seededNumbers(columns, 3),
  };
  return {
    label: `${rows}×${columns}`,
    data,
    calls: 20,
    // Mean 1, variance 3, scale and shift 4.
    flops: 8 * rows * columns,
    differenceToExact: (result) => differenceToExact(data, result),
  };
}

/** The rows of the attention above, and those of the training step. */
export const layerNorm: Task<LayerNormData> = {
  name: "layer_norm",
  call: "one layer norm",
  tolerance: 1e-4,
  rounds: 5,
  peers: [vitrail, jaxJs, tfjs, onnxruntimeWeb],
  problems: () => [problem(2048, 384), problem(768, 128)],
};
