/**
 * Matrix products: squares, and the pairs of an MLP, up and down again.
 *
 * @module
 */
import { seededNumbers } from "../../harness.ts";
import { difference } from "../results.ts";
import type { Problem, Task } from "../task.ts";
import type { Products } from "./data.ts";
import { jaxJs } from "./jax_js.ts";
import { onnxruntimeWeb } from "./onnxruntime_web.ts";
import { tfjs } from "./tfjs.ts";
import { vitrail } from "./vitrail.ts";

/** Elements of everybody's first result that are computed again in double precision. */
const SAMPLES = 64;

function differenceToExact(
  { rows, inner, outer, x, up, down }: Products,
  result: ArrayLike<number>,
): number {
  const [exact, given] = [new Float32Array(SAMPLES), new Float32Array(SAMPLES)];
  for (let s = 0; s < SAMPLES; s++) {
    const [row, column] = [(s * 7919) % rows, (s * 104729) % inner];
    let sum = 0;
    for (let j = 0; j < outer; j++) {
      let between = 0;
      for (let k = 0; k < inner; k++) between += x[row * inner + k] * up[k * outer + j];
      sum += between * down[j * inner + column];
    }
    exact[s] = sum;
    given[s] = result[row * inner + column];
  }
  return difference(exact, given);
}

/** Elements have a variance that lets a chain of products neither grow nor vanish. */
function pair(
  label: string,
  { rows, inner, outer, calls }: { rows: number; inner: number; outer: number; calls: number },
): Problem<Products> {
  const scaled = (size: number, seed: number, terms: number): Float32Array<ArrayBuffer> =>
    seededNumbers(size, seed).map((y) => y * Math.sqrt(12 / terms));
  const data = {
    rows,
    inner,
    outer,
    x: seededNumbers(rows * inner, 1),
    up: scaled(inner * outer, 2, inner),
    down: scaled(outer * inner, 3, outer),
  };
  return {
    label,
    data,
    calls,
    flops: 4 * rows * inner * outer,
    differenceToExact: (result) => differenceToExact(data, result),
  };
}

/** Squares, the products of the training step's model, and those of one token of generation. */
export const matmul: Task<Products> = {
  name: "matmul",
  call: "two products",
  aim: 4,
  tolerance: 1e-4,
  rounds: 5,
  peers: [vitrail, jaxJs, tfjs, onnxruntimeWeb],
  problems: () => [
    pair("512³", { rows: 512, inner: 512, outer: 512, calls: 4 }),
    pair("1024³", { rows: 1024, inner: 1024, outer: 1024, calls: 1 }),
    pair("768×128×384, a step's attention", { rows: 768, inner: 128, outer: 384, calls: 8 }),
    pair("768×128×512, a step's MLP", { rows: 768, inner: 128, outer: 512, calls: 8 }),
    // So short that a round of few calls would measure how long a read-back takes.
    pair("1×384×1536, a token's MLP", { rows: 1, inner: 384, outer: 1536, calls: 64 }),
  ],
};
