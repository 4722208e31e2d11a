/**
 * How far a result is from another, and results one after the other.
 *
 * @module
 */

/** max |x - y| / max |x|; infinite where lengths differ or a number is none. */
export function difference(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let [most, largest] = [0, 0];
  if (x.length !== y.length) return Infinity;
  for (let i = 0; i < x.length; i++) {
    const d = Math.abs(x[i] - y[i]);
    // Written so that a NaN counts as infinitely wrong.
    most = d <= most ? most : Number.isNaN(d) ? Infinity : d;
    largest = Math.max(largest, Math.abs(x[i]));
  }
  return most === 0 ? 0 : most / largest;
}

/** Several results as one. */
export function concatenate(parts: Float32Array[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
