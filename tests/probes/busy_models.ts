/**
 * Models for probes to be tested on: of odd sizes, and of weights among which none is zero or one, so that
 * nothing is left out unnoticed.
 *
 * @module
 */
import type { WeightSource } from "../../src/models/weights.ts";
import { numbers } from "../compare.ts";

/** Sizes of both families. */
export const SIZE = {
  vocabularySize: 197,
  contextLength: 29,
  channels: 24,
  layers: 3,
  heads: 2,
} as const;

/** Numbers that hang on the name; scales of norms lie around one. */
export const busy: WeightSource = (name, shape) => {
  const count = shape.reduce((a, b) => a * b, 1);
  const seed = Array.from(name).reduce((sum, letter, i) => sum + letter.charCodeAt(0) * (i + 1), 0);
  const middle = name.endsWith("weight") && shape.length === 1 ? 1 : 0;
  return numbers(count, seed).map((v) => middle + 0.25 * v);
};

/** B·T ids that a seed decides. */
export function idsOf(count: number, seed = 1): Uint32Array {
  return Uint32Array.from(
    { length: count },
    (_, i) => (i * 31 + seed * 57 + (i * i * seed) % 13) % SIZE.vocabularySize,
  );
}
