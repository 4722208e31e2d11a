/**
 * Attention, recorded: fused, or with its scores and pattern as tensors of their own.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import {
  attention as forward,
  attentionBackward,
  type AttentionOptions,
} from "../../kernels/attention.ts";
import * as kernels from "../../kernels/attention_pattern.ts";
import { cast } from "./cast.ts";
import { dropout } from "./dropout.ts";
import type { Run } from "../run.ts";

/** Attention without its random numbers, which the run supplies. */
export type AttentionSettings = Omit<AttentionOptions, "dropout"> & {
  /** Probability of dropping a weight while training. */
  dropoutProbability?: number;
};

/** Fused attention over packed qkv (B, T, 3·C): (B, T, C). Memory is linear in T. */
export function attention(run: Run, qkv: Tensor, settings: AttentionSettings): Tensor {
  const { dropoutProbability = 0, ...rest } = settings;
  const options: AttentionOptions = { ...rest, dropout: run.dropoutKey(dropoutProbability) };
  const saved = forward(qkv, options);
  run.record(saved.out, [qkv], (dOut, gradients) => {
    gradients.give(qkv, attentionBackward(qkv, dOut, { ...options, saved }));
  });
  return saved.out;
}

/** Names of the hook points inside attention. */
export interface AttentionHooks {
  /** Masked scores (B, NH, T, T). */
  scores: string;
  /** Softmax of the scores (B, NH, T, T). */
  pattern: string;
}

/** The same function, unfused, with hook points on the scores and on the pattern; these are f32. */
export function attentionWithPattern(
  run: Run,
  input: Tensor,
  settings: AttentionSettings & { hooks: AttentionHooks },
): Tensor {
  const qkv = cast(run, input, "f32");
  const { dropoutProbability = 0, hooks, ...options } = settings;
  const scores = kernels.packedScores(qkv, options);
  run.record(scores, [qkv], (dScores, gradients) => {
    const dQkv = qkv.device.zeros(qkv.shape);
    kernels.packedScoresBackward(dScores, qkv, { ...options, dQkv });
    gradients.give(qkv, dQkv);
  });
  const hooked = run.hook(hooks.scores, scores);
  const softened = kernels.softmax(hooked);
  run.record(softened, [hooked], (d, gradients) => {
    gradients.give(hooked, kernels.softmaxBackward(softened, d));
  });
  const pattern = dropout(run, run.hook(hooks.pattern, softened), dropoutProbability);
  const out = kernels.packedMix(pattern, qkv, options);
  run.record(out, [pattern, qkv], (dOut, gradients) => {
    const dQkv = qkv.device.zeros(qkv.shape);
    gradients.give(pattern, kernels.packedMixBackward(pattern, qkv, { ...options, dOut, dQkv }));
    gradients.give(qkv, dQkv);
  });
  return cast(run, out, input.dtype);
}
