/** Learning-rate schedules: a linear warm-up, then a decay. @module */

import { VitrailError } from "../errors.ts";

/** The shape of a schedule. */
export interface ScheduleOptions {
  /** Highest learning rate, reached at the end of the warm-up. */
  peak: number;
  /** Steps whose rate lies below the peak because the run has just begun; 0 begins at the peak. */
  warmupSteps: number;
  /** Steps in all, warm-up among them. */
  totalSteps: number;
  /** The rate at which the decay ends, reached at step `totalSteps`; `constant` ignores it. */
  minimum: number;
  /** How the rate falls after the warm-up. */
  kind: "cosine" | "linear" | "constant";
}

function check(step: number, options: ScheduleOptions): void {
  const { peak, warmupSteps, totalSteps, minimum, kind } = options;
  const fault = (what: string, wanted: string): VitrailError =>
    new VitrailError(`Cannot compute a learning rate: ${what}, wanted ${wanted}`);
  for (const [name, count] of Object.entries({ step, warmupSteps, totalSteps })) {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw fault(`${name} is ${count}`, "a whole number from 0");
    }
  }
  if (!Number.isFinite(peak) || peak < 0) throw fault(`peak is ${peak}`, "a number from 0");
  if (!["cosine", "linear", "constant"].includes(kind)) {
    throw fault(`kind is ${JSON.stringify(kind)}`, "cosine, linear or constant");
  }
  if (kind !== "constant" && !(minimum >= 0 && minimum <= peak)) {
    throw fault(`minimum is ${minimum}`, `a number from 0 to the peak, ${peak}`);
  }
}

/**
 * The learning rate of one step, the first step being 0.
 *
 * With W = `warmupSteps`, N = `totalSteps` and p = (step - W) / (N - W):
 *
 * | steps        | kind       | rate                                              |
 * | ------------ | ---------- | ------------------------------------------------- |
 * | step < W     | all        | peak · (step + 1) / (W + 1)                       |
 * | W ≤ step < N | `cosine`   | minimum + (peak - minimum) · (1 + cos(π · p)) / 2 |
 * | W ≤ step < N | `linear`   | minimum + (peak - minimum) · (1 - p)              |
 * | W ≤ step     | `constant` | peak                                              |
 * | N ≤ step     | others     | minimum                                           |
 *
 * Step 0 has a rate above zero and step W is the first at the peak. The minimum belongs to step N,
 * one after the last, so that a decay to zero wastes no step. The warm-up starts below the minimum
 * if that is high, and wins over the decay where W ≥ N.
 *
 * @throws {VitrailError} at a count that is no whole number from 0, at a rate that is negative or
 * not finite, and at a minimum above the peak
 *
 * @example
 * ```ts
 * import { learningRateAt } from "./schedule.ts";
 *
 * const rate = learningRateAt(550, {
 *   peak: 6e-4,
 *   minimum: 6e-5,
 *   warmupSteps: 100,
 *   totalSteps: 1000,
 *   kind: "cosine",
 * });
 * console.log(rate.toFixed(5)); // "0.00033": half-way down
 * ```
 */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  check(step, options);
  const { peak, warmupSteps, totalSteps, minimum, kind } = options;
  if (step < warmupSteps) return peak * (step + 1) / (warmupSteps + 1);
  if (kind === "constant") return peak;
  if (step >= totalSteps) return minimum;
  const progress = (step - warmupSteps) / (totalSteps - warmupSteps);
  const height = kind === "cosine" ? (1 + Math.cos(Math.PI * progress)) / 2 : 1 - progress;
  return minimum + (peak - minimum) * height;
}
