/**
 * Probabilities of a few logits, on the processor.
 *
 * @module
 */

/** Probabilities of logits among themselves. */
export function softmaxOf(logits: readonly number[]): number[] {
  const highest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
