/**
 * Sizes by name.
 *
 * @module
 */

/** What a preset decides; flags override it. */
export interface Preset {
  /** Blocks. */
  layers: number;
  /** Heads of each block. */
  heads: number;
  /** C. */
  channels: number;
  /** T. */
  sequence: number;
  /** B. */
  batch: number;
  /** Highest learning rate. */
  learningRate: number;
}

/** All presets. */
export const PRESETS: Record<string, Preset> = {
  pico: { layers: 2, heads: 4, channels: 64, sequence: 64, batch: 16, learningRate: 3e-3 },
  nano: { layers: 4, heads: 4, channels: 128, sequence: 128, batch: 12, learningRate: 1e-3 },
  micro: { layers: 6, heads: 6, channels: 384, sequence: 256, batch: 32, learningRate: 1e-3 },
  gpt2: { layers: 12, heads: 12, channels: 768, sequence: 1024, batch: 4, learningRate: 6e-4 },
};
