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
  /** (B, V) u32: `SEEN` for ids that occurred, to which the drawn id is added; `BANNED` for ids never drawn. */
  seen: Tensor;
  /** (B) u32: receives the drawn id. */
  ids: Tensor;
  /** (B, capacity) u32: receives it too. */
  tokens: Tensor;
}

/** Marks of `seen`: the id occurred. */
export const SEEN = 1;
/** Marks of `seen`: the id must not be drawn. */
export const BANNED = 2;
/** What `tokens` gets in the place of an id if a logit of the row is NaN or infinite. */
export const NOT_FINITE = 0xffffffff;

/** Which draw this is. */
export interface SamplePosition {
  /** Tokens that were drawn before, which keys the random numbers. */
  position: number;
  /** Column of `tokens` that receives the id; `position` if absent. */
  column?: number;
  /** Rows that are so many apart continue one prompt, and only they have random numbers of their own. */
  sources?: number;
  /** Whether a logit of -Infinity is a fault as well, and no id that is hidden. */
  allFinite?: boolean;
}

/** Draws one token for each sequence; `NOT_FINITE` for one whose logits are not finite. */
export function sample(tensors: SampleTensors, settings: SampleSettings & SamplePosition): void {
  const { logits, tokens } = tensors;
  const { temperature, topK, topP, minP, repetitionPenalty, seed, position } = settings;
  const { sources = 1, column = position, allFinite = false } = settings;
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
      sources,
      column,
    },
    overrides: {
      lanes: lanesSharing(device, LOOKS * vocabulary, lanesOf(device)),
      all_finite: allFinite,
    },
    workgroups: [tensors.ids.size],
  });
}
