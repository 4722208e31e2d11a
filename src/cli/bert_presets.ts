/**
 * Sizes of encoders by name: those of Turc et al. 2019 (arXiv:1908.08962), and a smaller one.
 *
 * @module
 */
import type { Preset } from "./presets.ts";

/** All presets of `pretrain bert`. */
export const BERT_PRESETS: Record<string, Preset> = {
  pico: { layers: 2, heads: 4, channels: 64, sequence: 128, batch: 16, learningRate: 3e-3 },
  tiny: { layers: 2, heads: 2, channels: 128, sequence: 128, batch: 16, learningRate: 1e-3 },
  mini: { layers: 4, heads: 4, channels: 256, sequence: 128, batch: 32, learningRate: 5e-4 },
  small: { layers: 4, heads: 8, channels: 512, sequence: 128, batch: 32, learningRate: 3e-4 },
  base: { layers: 12, heads: 12, channels: 768, sequence: 512, batch: 16, learningRate: 1e-4 },
};

/** Dropout of a model from scratch. */
export const SCRATCH_DROPOUT = 0.1;

/**
 * Deviation of fresh weights: BERT's 0.02 at 768 channels, so much more where there are fewer that
 * logits begin as far apart.
 */
export function initializerRange(channels: number): number {
  return Number((0.02 * Math.sqrt(768 / channels)).toFixed(4));
}
