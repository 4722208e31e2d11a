/**
 * One block of a Transformer.
 *
 * @module
 */
import { add } from "../autograd/ops/add.ts";
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Attention } from "./attention.ts";
import type { AttentionCache } from "./cache.ts";
import type { LayerNorm } from "./layer_norm.ts";
import type { Mlp } from "./mlp.ts";

/**
 * Attention and MLP, each behind a norm and beside a residual connection (pre-norm, as in GPT-2). The MLP
 * and its norm may be absent: such a block only moves what is known from place to place (the
 * attention-only models of Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits").
 */
export class Block {
  /** Prefix of its hook points. */
  readonly name: string;
  /** Before attention. */
  readonly norm1: LayerNorm;
  /** Looks at other places. */
  readonly attention: Attention;
  /** Before the MLP, if there is one. */
  readonly norm2: LayerNorm | undefined;
  /** Works on each place. */
  readonly mlp: Mlp | undefined;

  /** Takes its layers from the model that owns them. */
  constructor(
    name: string,
    layers: Pick<Block, "norm1" | "attention"> & { norm2?: LayerNorm; mlp?: Mlp },
  ) {
    this.name = name;
    this.norm1 = layers.norm1;
    this.attention = layers.attention;
    this.norm2 = layers.norm2;
    this.mlp = layers.mlp;
  }

  /** (B, T, C) to (B, T, C). */
  forward(run: Run, x: Tensor, options: { mask?: Tensor; cache?: AttentionCache } = {}): Tensor {
    const { name, norm2, mlp } = this;
    const before = run.hook(`${name}hook_resid_pre`, x);
    const attended = this.attention.forward(run, this.norm1.forward(run, before, `${name}ln1.`), {
      name,
      ...options,
    });
    const found = run.hook(`${name}hook_attn_out`, attended);
    if (!norm2 || !mlp) return run.hook(`${name}hook_resid_post`, add(run, before, found));
    const { sum: middle, out: normalized } = norm2.afterAdd(
      run,
      before,
      found,
      { sum: `${name}hook_resid_mid`, norm: `${name}ln2.` },
    );
    const thought = mlp.forward(run, normalized, name);
    return run.hook(
      `${name}hook_resid_post`,
      add(run, middle, run.hook(`${name}hook_mlp_out`, thought)),
    );
  }
}
