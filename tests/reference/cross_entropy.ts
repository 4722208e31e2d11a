/**
 * Reference of softmax cross-entropy and its mean.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** Rows with this target do not count. */
export const IGNORE_INDEX = -100;

/** Losses in nats, their mean over the rows that count, and log Σ exp of each row. */
export function crossEntropy(
  logits: Numbers,
  targets: Numbers,
): { mean: number; count: number; losses: Float64Array; logSumExp: Float64Array } {
  const columns = logits.length / targets.length;
  const logSumExp = new Float64Array(targets.length);
  let [sum, count] = [0, 0];
  const losses = logSumExp.map((_, r) => {
    let [most, total] = [-Infinity, 0];
    for (let c = 0; c < columns; c++) most = Math.max(most, logits[r * columns + c]);
    for (let c = 0; c < columns; c++) total += Math.exp(logits[r * columns + c] - most);
    logSumExp[r] = most + Math.log(total);
    if (targets[r] === IGNORE_INDEX) return 0;
    const loss = logSumExp[r] - logits[r * columns + targets[r]];
    sum += loss;
    count++;
    return loss;
  });
  return { mean: sum / Math.max(count, 1), count, losses, logSumExp };
}

/** The gradient of scale·mean: scale/count·(softmax - one-hot), zero where ignored. */
export function crossEntropyBackward(
  logits: Numbers,
  targets: Numbers,
  scale: number,
): Float64Array {
  const columns = logits.length / targets.length;
  const { count, logSumExp } = crossEntropy(logits, targets);
  return Float64Array.from(logits, (logit, i) => {
    const r = Math.floor(i / columns);
    if (targets[r] === IGNORE_INDEX) return 0;
    const hot = i % columns === targets[r] ? 1 : 0;
    return scale / count * (Math.exp(logit - logSumExp[r]) - hot);
  });
}
