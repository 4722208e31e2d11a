/**
 * Sizes of encoders by name: those of Turc et al. 2019 (arXiv:1908.08962), and a smaller one.
 *
 * @module
 */
import type { Preset } from "./presets.ts";

/** All presets of `pretrain bert`. */
export const BERT_PRESETS: Record<string, Preset> = {
  pico: { layers: 2, heads: 2, channels: 64, sequence: 64, batch: 16, learningRate: 2e-3 },
  tiny: { layers: 2, heads: 2, channels: 128, sequence: 64, batch: 16, learningRate: 1e-3 },
  mini: { layers: 4, heads: 4, channels: 256, sequence: 128, batch: 32, learningRate: 5e-4 },
  small: { layers: 4, heads: 8, channels: 512, sequence: 128, batch: 32, learningRate: 3e-4 },
  base: { layers: 12, heads: 12, channels: 768, sequence: 512, batch: 16, learningRate: 1e-4 },
};
