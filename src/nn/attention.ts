/**
 * Multi-head self-attention: over a whole sequence, or over what came before by way of a cache.
 *
 * @module
 */
import { attention, attentionWithPattern } from "../autograd/ops/attention.ts";
import { dropout } from "../autograd/ops/dropout.ts";
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { AttentionCache } from "./cache.ts";
import type { Linear } from "./linear.ts";

/** How an attention layer is made. */
export interface AttentionConfig {
  /** NH. */
  heads: number;
  /** Whether a place may look ahead. */
  causal: boolean;
  /** Dropout on the pattern. */
  attentionDropout: number;
  /** Dropout on the output. */
  residualDropout: number;
}

/** Multi-head attention (Vaswani et al. 2017, section 3.2.2) with q, k and v in one product. */
export class Attention {
  /** (C, 3·C): q, k, v side by side. */
  readonly qkv: Linear;
  /** (C, C). */
  readonly projection: Linear;
  /** Heads, mask and dropout. */
  readonly config: AttentionConfig;

  /** Takes its layers from the model that owns them. */
  constructor(qkv: Linear, projection: Linear, config: AttentionConfig) {
    this.qkv = qkv;
    this.projection = projection;
    this.config = config;
  }

  /** (B, T, C) to (B, T, C). `name` is the block's prefix of hook points, such as `blocks.0.`. */
  forward(
    run: Run,
    x: Tensor,
    options: { name: string; mask?: Tensor; cache?: AttentionCache },
  ): Tensor {
    const { name, mask, cache } = options;
    const { heads, causal, attentionDropout, residualDropout } = this.config;
    const hooks = { scores: `${name}attn.hook_attn_scores`, pattern: `${name}attn.hook_pattern` };
    const qkv = this.qkv.forward(run, x); // (B, T, 3C)
    const settings = { heads, causal, mask, dropoutProbability: attentionDropout };
    let z: Tensor; // (B, T, C)
    if (cache) {
      z = cache.attend(qkv, { heads });
    } else if (run.hooked(hooks.scores) || run.hooked(hooks.pattern)) {
      z = attentionWithPattern(run, qkv, { ...settings, hooks });
    } else {
      z = attention(run, qkv, settings);
    }
    return dropout(
      run,
      this.projection.forward(run, run.hook(`${name}attn.hook_z`, z)),
      residualDropout,
    );
  }
}
