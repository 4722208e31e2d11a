/**
 * Drawing the next token on the device.
 *
 * @module
 */
import source from "../../shaders/sample.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { lanesOf, lanesSharing } from "./launch.ts";

const kernel = new Kernel("sample", source);

/** How often each logit is looked at: once for each bit of two thresholds, and a few times besides. */
const LOOKS = 2 * 32 + 4;

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
  /** Divides (or multiplies, if negative) logits of ids that occurred; 1 changes nothing. */
  repetitionPenalty: number;
  /** Seed of the draws. */
  seed: number;
}

/** The buffers of a draw. */
export interface SampleTensors {
  /** (B, V), overwritten. */
  logits: Tensor;
  /** (B, V) u32: 1 for ids that occurred; the drawn id is added. */
  seen: Tensor;
  /** (B) u32: receives the drawn id. */
  ids: Tensor;
  /** (B, capacity) u32: receives it too, at `position`. */
  tokens: Tensor;
}

/** Draws one token for each sequence; `position` keys the random numbers as well. */
export function sample(
  tensors: SampleTensors,
  settings: SampleSettings & { position: number },
): void {
  const { logits, tokens } = tensors;
  const { temperature, topK, topP, minP, repetitionPenalty, seed, position } = settings;
  const { device } = logits;
  const vocabulary = logits.shape.at(-1)!;
  device.dispatch(kernel, "forward", {
    bindings: { ...tensors },
    uniforms: {
      vocabulary,
      capacity: tokens.shape[1],
      position,
      top_k: topK,
      top_p: topP,
      log_min_p: minP > 0 ? Math.log(minP) : -3e38,
      temperature,
      penalty: repetitionPenalty,
      seed,
    },
    overrides: { lanes: lanesSharing(device, LOOKS * vocabulary, lanesOf(device)) },
    workgroups: [tensors.ids.size],
  });
}
