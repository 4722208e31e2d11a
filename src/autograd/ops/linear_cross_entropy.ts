/**
 * A linear layer and the cross-entropy of its logits in one, recorded, without ever holding the logits
 * of a large vocabulary for all rows, nor logits and their gradient side by side.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { Tensor } from "../../gpu/tensor.ts";
import { columnSum } from "../../kernels/column_sum.ts";
import {
  countTargets,
  crossEntropyBackward,
  crossEntropyMean,
  type CrossEntropyResult,
  crossEntropyRows,
} from "../../kernels/cross_entropy.ts";
import { matmul } from "../../kernels/matmul.ts";
import type { Run } from "../run.ts";
import type { Loss } from "./cross_entropy.ts";

/** Bytes of logits that are held at once, unless the caller wants others. */
export const LOGIT_BYTES = 32 << 20;

/** Rows in a chunk are a multiple of this, so that chunks begin where an adapter can bind, in f16 too. */
const ROWS = { f32: 64, f16: 128 };

/** The layer, what is asked of it, and how much memory it may take. */
export interface LinearCrossEntropyOptions {
  /** (V, C). */
  weight: Tensor;
  /** (V). */
  bias?: Tensor;
  /** A class for each row (…), -100 where none is asked. */
  targets: Tensor;
  /** The backward pass starts from it: 1/A for each of A micro-steps. */
  scale?: number;
  /** Bytes of logits at once, about: 64 rows are always taken. */
  logitBytes?: number;
}

/**
 * Mean cross-entropy of x·Wᵀ + b against targets, for x (…, C).
 *
 * Logits that fit `logitBytes` are kept until the backward pass, which turns them into their gradient in
 * place. Others are made in chunks of rows. A recorded pass then finds the gradients along with the
 * losses, while it has a chunk's logits (as do Hsu et al. 2024, arXiv:2410.10989), and the backward pass
 * only hands them on: to make all logits again would cost a product more beside three. Until then dW
 * lies beside the parameter's own gradient, which nobody expects a forward pass to change; where dW is
 * larger than the logits that chunks save, the logits stay whole, if the adapter can bind them.
 *
 * @throws {VitrailError} unless x has a row for each target
 */
export function linearCrossEntropy(
  run: Run,
  x: Tensor,
  options: LinearCrossEntropyOptions,
): Loss {
  const { targets } = options;
  const { device } = targets;
  const rows = targets.size;
  if (x.size !== rows * x.shape.at(-1)!) {
    throw new VitrailError(
      `Cannot compare (${x.shape.join(", ")}) with ${rows} targets: wanted one for each row`,
    );
  }
  const saved: CrossEntropyResult = {
    losses: device.tensor([rows]),
    logSumExp: device.tensor([rows]),
    result: device.tensor([2]),
  };
  const chunk = chunkRows(run, x, options);
  if (chunk < rows) inChunks(run, x, { ...options, saved, chunk });
  else whole(run, x, { ...options, saved });
  return { result: saved.result, losses: saved.losses };
}

type Work = LinearCrossEntropyOptions & { saved: CrossEntropyResult };

/** Rows whose logits are held at once. */
function chunkRows(run: Run, x: Tensor, options: LinearCrossEntropyOptions): number {
  const { weight, targets } = options;
  const [vocabulary, channels] = weight.shape;
  const rows = targets.size;
  const { largest } = targets.device.pool;
  const logitBytes = Math.min(options.logitBytes ?? LOGIT_BYTES, largest);
  const [width, step] = x.dtype === "f16" ? [2, ROWS.f16] : [4, ROWS.f32];
  if (logitBytes >= width * vocabulary * rows) return rows;
  const chunk = Math.max(1, Math.floor(logitBytes / (width * vocabulary * step))) * step;
  // dW, which is f32, is as large as the f32 logits of `channels` rows.
  const besides = run.tape?.wants(weight) ? channels * 4 / width : 0;
  return chunk + besides < rows || width * vocabulary * rows > largest ? chunk : rows;
}

function whole(run: Run, x: Tensor, work: Work): void {
  const { weight, bias, targets, saved, scale = 1 } = work;
  const { device } = x;
  const factor = run.operand(weight, x);
  const lossScale = run.half?.lossScale;
  const logits = device.pool.as(
    "logits",
    () => matmul(x, factor, { transposeB: true, bias }),
  ); // (…, V)
  crossEntropyRows(logits, targets, saved);
  crossEntropyMean(targets, saved);
  if (!run.tape) return device.pool.release(logits.buffer);
  run.record(saved.result, [x, weight, bias], (_dOut, gradients) => {
    crossEntropyBackward(logits, targets, { saved, scale, dLogits: logits, lossScale });
    gradients.into(x, ({ tensor, accumulate }) => {
      matmul(logits, factor, { out: tensor, accumulate });
    });
    gradients.into(weight, ({ tensor, accumulate }) => {
      matmul(logits, x, { transposeA: true, out: tensor, accumulate });
    });
    gradients.into(bias, ({ tensor, accumulate }) => columnSum(logits, tensor, { accumulate }));
    device.pool.release(logits.buffer);
  });
}

function inChunks(run: Run, x: Tensor, work: Work & { chunk: number }): void {
  const { weight, bias, targets, saved, scale = 1, chunk } = work;
  const { device } = x;
  const factor = run.operand(weight, x);
  const lossScale = run.half?.lossScale;
  const [vocabulary] = weight.shape;
  const rows = targets.size;
  const wanted = (t: Tensor | undefined, kind: "activations" | "gradients") =>
    t && run.tape?.wants(t)
      ? device.pool.as(kind, () => device.tensor(t.shape, t.dtype))
      : undefined;
  const dX = wanted(x, "activations");
  const dWeight = wanted(weight, "gradients");
  const dBias = wanted(bias, "gradients");
  if (dX || dWeight || dBias) countTargets(targets, saved.result);
  const { buffer } = device.pool.as("logits", () => device.tensor([chunk, vocabulary], x.dtype));
  for (let begin = 0; begin < rows; begin += chunk) {
    const of = (t: Tensor): Tensor => t.rows(begin, Math.min(rows, begin + chunk));
    const [own, ownTargets] = [of(x), of(targets.reshape([rows]))];
    const logits = new Tensor(device, buffer, [ownTargets.size, vocabulary], x.dtype);
    matmul(own, factor, { transposeB: true, bias, out: logits });
    const ownSaved = {
      losses: of(saved.losses),
      logSumExp: of(saved.logSumExp),
      result: saved.result,
    };
    crossEntropyRows(logits, ownTargets, ownSaved);
    if (!dX && !dWeight && !dBias) continue;
    crossEntropyBackward(logits, ownTargets, {
      saved: ownSaved,
      scale,
      dLogits: logits,
      lossScale,
    });
    const accumulate = begin > 0;
    if (dX) matmul(logits, factor, { out: of(dX) });
    if (dWeight) matmul(logits, own, { transposeA: true, out: dWeight, accumulate });
    if (dBias) columnSum(logits, dBias, { accumulate });
  }
  device.pool.release(buffer);
  crossEntropyMean(targets, saved);
  run.record(saved.result, [x, weight, bias], (_dOut, gradients) => {
    if (dX) gradients.give(x, dX);
    if (dWeight) gradients.give(weight, dWeight);
    if (dBias) gradients.give(bias!, dBias);
  });
}
