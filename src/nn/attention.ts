/**
 * Multi-head self-attention: over a whole sequence, or over what came before by way of a cache.
 *
 * @module
 */
import { attention, attentionWithPattern } from "../autograd/ops/attention.ts";
import { packColumns, takeColumns } from "../autograd/ops/columns.ts";
import { dropout } from "../autograd/ops/dropout.ts";
import type { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { AttentionCache } from "./cache.ts";
import type { Linear } from "./linear.ts";

/** How an attention layer is made. */
export interface AttentionConfig {
  /** NH. */
  heads: number;
  /** Whether a place may look ahead. */
  causal: boolean;
  /** Factor on the scores; 1/√HS if absent. */
  scale?: number;
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

  /**
   * (B, T, C) to (B, T, C). `name` is the block's prefix of hook points, such as `blocks.0.`.
   *
   * @throws {VitrailError} if somebody listens at scores or pattern, of which a cache keeps none
   */
  forward(
    run: Run,
    x: Tensor,
    options: { name: string; mask?: Tensor; cache?: AttentionCache },
  ): Tensor {
    const { name, mask, cache } = options;
    const { heads, causal, scale, attentionDropout, residualDropout } = this.config;
    const hooks = { scores: `${name}attn.hook_attn_scores`, pattern: `${name}attn.hook_pattern` };
    const perHead = [x.shape[0], x.shape[1], heads, x.shape[2] / heads]; // (B, T, NH, HS)
    const qkv = this.#hookParts(run, this.qkv.forward(run, x), { name, perHead }); // (B, T, 3C)
    const settings = { heads, causal, scale, mask, dropoutProbability: attentionDropout };
    let z: Tensor; // (B, T, C)
    const unfused = run.hooked(hooks.scores, hooks.pattern);
    if (cache) {
      if (unfused) throw withCache(hooks);
      z = cache.attend(qkv, { heads, scale });
    } else if (unfused) {
      z = attentionWithPattern(run, qkv, { ...settings, hooks });
    } else {
      z = attention(run, qkv, settings);
    }
    return dropout(
      run,
      this.projection.forward(run, run.hook(`${name}attn.hook_z`, z, perHead)),
      residualDropout,
    );
  }

  /** Packed q, k and v, which are taken apart and packed again if somebody listens at one of them. */
  #hookParts(
    run: Run,
    qkv: Tensor,
    { name, perHead }: { name: string; perHead: readonly number[] },
  ): Tensor {
    const names = ["q", "k", "v"].map((part) => `${name}attn.hook_${part}`);
    if (!run.hooked(...names)) return qkv;
    const columns = qkv.shape[2] / 3;
    return packColumns(
      run,
      names.map((hook, i) =>
        run.hook(hook, takeColumns(run, qkv, { offset: i * columns, columns }), perHead)
      ),
    );
  }
}

function withCache({ scores, pattern }: { scores: string; pattern: string }): VitrailError {
  return new VitrailError(
    `Cannot hook ${scores} or ${pattern} in a pass with a cache of keys and values, which keeps ` +
      "neither: run the whole sequence in one pass without a cache",
  );
}
