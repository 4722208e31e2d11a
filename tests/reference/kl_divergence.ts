/**
 * Reference of the Kullback-Leibler divergence between rows of logits.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** ln softmax of row r. */
function logSoftmax(logits: Numbers, r: number, columns: number): Float64Array {
  const out = new Float64Array(columns);
  for (let c = 0; c < columns; c++) out[c] = logits[r * columns + c];
  const most = out.reduce((a, b) => Math.max(a, b), -Infinity);
  const logTotal = Math.log(out.reduce((sum, x) => sum + Math.exp(x - most), 0));
  for (let c = 0; c < columns; c++) out[c] -= most + logTotal;
  return out;
}

/** Σ p·(ln p - ln q) of each row, in nats. */
export function klDivergence(logits: Numbers, teacher: Numbers, rows: number): Float64Array {
  const columns = logits.length / rows;
  return new Float64Array(rows).map((_, r) => {
    const [q, p] = [logSoftmax(logits, r, columns), logSoftmax(teacher, r, columns)];
    return p.reduce((sum, lp, c) => lp === -Infinity ? sum : sum + Math.exp(lp) * (lp - q[c]), 0);
  });
}

/** The gradient of scale·Σ losses: scale·(q - p). */
export function klDivergenceBackward(
  logits: Numbers,
  teacher: Numbers,
  { rows, scale }: { rows: number; scale: number },
): Float64Array {
  const columns = logits.length / rows;
  const out = new Float64Array(logits.length);
  for (let r = 0; r < rows; r++) {
    const [q, p] = [logSoftmax(logits, r, columns), logSoftmax(teacher, r, columns)];
    out.set(q.map((lq, c) => scale * (Math.exp(lq) - Math.exp(p[c]))), r * columns);
  }
  return out;
}
