/**
 * What the numbers of a call may be, for `sweep_numbers.ts`.
 *
 * @module
 */
/** What an option may be. */
export type Takes = (value: unknown) => boolean;

/** One call, and what each of its numbers may be. */
export interface Subject {
  /** The function or class. */
  name: string;
  /** Values with which the call succeeds. */
  good: Record<string, unknown>;
  /** What each number takes, besides what it is left out for. */
  takes: Record<string, Takes>;
  /** Options that may not be left out. */
  required?: string[];
  /** Makes the call. */
  // deno-lint-ignore no-explicit-any -- the whole point is to pass what types forbid
  call: (given: any) => unknown;
}

/** A whole number in a range. */
export const isWhole = (least: number, most = Number.MAX_SAFE_INTEGER): Takes => (value) =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
export const count = isWhole(1);
export const countOrNone = isWhole(0);
export const seed = isWhole(0, 2 ** 32 - 1);
export const between = (least: number, most: number): Takes => (value) =>
  typeof value === "number" && value >= least && value <= most;
export const part = between(0, 1);
export const chance: Takes = (value) => part(value) && value !== 1;
export const notNegative: Takes = (value) => Number.isFinite(value) && (value as number) >= 0;
export const positive: Takes = (value) => notNegative(value) && value !== 0;
export const finite: Takes = (value) => Number.isFinite(value);
export const countOrAll: Takes = (value) => value === Infinity || count(value);

/** Sizes of the model that is tried. */
export const TINY = { vocabularySize: 13, contextLength: 8, channels: 8, layers: 1, heads: 2 };
