/**
 * A product of two thin matrices added to what a linear layer made, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { addColumns, readColumns } from "../../kernels/columns.ts";
import { matmul } from "../../kernels/matmul.ts";
import type { Run } from "../run.ts";

/** What is added, and where. */
export interface LowRankUpdate {
  /** A (r, in). */
  down: Tensor;
  /** B (columns, r). */
  up: Tensor;
  /** s, which multiplies the product. */
  scale: number;
  /** First of the columns that it is added to. */
  offset: number;
}

/**
 * `out[…, offset : offset + columns] += s·(x·Aᵀ)·Bᵀ` (Hu et al. 2021, arXiv:2106.09685, equation 3),
 * with x (…, in) and out (…, C). `out` is overwritten and must have no other reader so far.
 *
 * With d the columns of dOut that were added to and h = s·x·Aᵀ, which is saved:
 * dB = dᵀ·h, dH = s·d·B, dA = dHᵀ·x, dX = dH·A; and out's gradient is dOut itself.
 */
export function addLowRank(
  run: Run,
  x: Tensor,
  options: LowRankUpdate & { out: Tensor },
): Tensor {
  const { down, up, scale, offset, out } = options;
  const [columns, rank] = up.shape;
  const [a, b] = [run.operand(down, x), run.operand(up, x)];
  const product = matmul(x, a, { transposeB: true }); // (…, r)
  const h = readColumns(product, rank, { factor: scale });
  x.device.pool.release(product.buffer);
  const whole = columns === out.shape.at(-1);
  if (whole) {
    matmul(h, b, { transposeB: true, out, accumulate: true });
  } else {
    const delta = matmul(h, b, { transposeB: true });
    addColumns(delta, out, { offset });
    x.device.pool.release(delta.buffer);
  }
  // The same memory, and a place of its own on the tape.
  const result = out.reshape(out.shape);
  run.record(result, [x, out, down, up], (dOut, gradients) => {
    const d = whole ? dOut : readColumns(dOut, columns, { offset });
    gradients.into(up, ({ tensor, accumulate }) => {
      matmul(d, h, { transposeA: true, out: tensor, accumulate });
    });
    const dProduct = matmul(d, b);
    const dH = readColumns(dProduct, rank, { factor: scale });
    gradients.into(down, ({ tensor, accumulate }) => {
      matmul(dH, x, { transposeA: true, out: tensor, accumulate });
    });
    gradients.into(x, ({ tensor, accumulate }) => matmul(dH, a, { out: tensor, accumulate }));
    for (const done of whole ? [dProduct, dH] : [dProduct, dH, d]) {
      x.device.pool.release(done.buffer);
    }
    gradients.move(result, out);
  });
  return result;
}
