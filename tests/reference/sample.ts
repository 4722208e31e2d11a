/**
 * Reference of sampling: the filter rules, and the draw from one uniform number.
 *
 * @module
 */
import { uniform } from "./dropout.ts";
import type { Numbers } from "./numbers.ts";

/** How a token is drawn. */
export interface SampleSettings {
  /** Divides the logits; 0 takes the largest. */
  temperature: number;
  /** Keep this many; 0 keeps all. */
  topK: number;
  /** Keep the fewest that reach this probability; 1 keeps all. */
  topP: number;
  /** Keep those of at least this fraction of the largest probability; 0 keeps all. */
  minP: number;
  /** Divides (or multiplies, if negative) logits of ids that occurred. */
  repetitionPenalty: number;
}

/** The number in [0, 1) that decides for sequence b at a position. */
export function sampleUniform(b: number, position: number, seed: number): number {
  return uniform([b, position, 0x5eed, seed]);
}

/** Logits of one sequence after the repetition penalty and the temperature. */
export function scaledLogits(
  logits: Numbers,
  seen: Numbers,
  settings: SampleSettings,
): Float64Array {
  const { temperature, repetitionPenalty } = settings;
  return Float64Array.from(logits, (logit, i) => {
    const l = seen[i] === 0
      ? logit
      : logit > 0
      ? logit / repetitionPenalty
      : logit * repetitionPenalty;
    return temperature === 0 ? l : l / temperature;
  });
}

/** The probability of each id: first top-k, of these top-p, of these min-p; equals stay or go together. */
export function probabilities(scaled: Float64Array, settings: SampleSettings): Float64Array {
  const { temperature, topK, topP, minP } = settings;
  const most = scaled.reduce((a, b) => Math.max(a, b));
  if (temperature === 0) {
    const winner = scaled.indexOf(most);
    return scaled.map((_, i) => i === winner ? 1 : 0);
  }
  const falling = scaled.slice().sort().reverse();
  let lowest = topK > 0 && topK < scaled.length ? falling[topK - 1] : -Infinity;
  const mass = (floor: number): number =>
    scaled.reduce((sum, l) => sum + (l >= floor ? Math.exp(l - most) : 0), 0);
  if (topP < 1) {
    const enough = topP * mass(lowest);
    lowest = falling.find((l) => mass(l) >= enough)!;
  }
  if (minP > 0) lowest = Math.max(lowest, most + Math.log(minP));
  const total = mass(lowest);
  return scaled.map((l) => l >= lowest ? Math.exp(l - most) / total : 0);
}

/** The first id at which the running sum of probabilities exceeds u. */
export function draw(probability: Numbers, u: number): number {
  let [sum, last] = [0, 0];
  for (let i = 0; i < probability.length; i++) {
    if (probability[i] === 0) continue;
    last = i;
    if (u < (sum += probability[i])) return i;
  }
  return last;
}
