/**
 * In which precision a run computes, and what is said of it.
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";

/** Type of activations and of the weights that multiply them. */
export type Precision = "f32" | "f16";

/** A precision that the adapter has, and what to say where it is not the one that was asked for. */
export interface ChosenPrecision {
  /** What the run computes in. */
  precision: Precision;
  /** Why it is another one than was asked for. */
  notice?: string;
}

/** The precision that was asked for, or f32 where the adapter has no f16. */
export function choosePrecision(device: Device, asked: Precision = "f32"): ChosenPrecision {
  if (asked === "f32" || device.hasF16) return { precision: asked };
  return {
    precision: "f32",
    notice: `Training in f32: ${device.description} has no f16 (the feature shader-f16), ` +
      "which --precision f16 asks for",
  };
}

/** What happened to a step whose gradients were too large for f16, in words. */
export function describeSkip(figures: { step: number; lossScale?: number }): string {
  const { step, lossScale = 1 } = figures;
  return `step ${step} skipped: a gradient overflowed f16 at loss scale ${lossScale}, ` +
    `which is ${Math.max(1, lossScale / 2)} from now on`;
}
