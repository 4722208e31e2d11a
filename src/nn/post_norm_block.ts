/**
 * One block of an encoder.
 *
 * @module
 */
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Attention } from "./attention.ts";
import type { LayerNorm } from "./layer_norm.ts";
import type { Mlp } from "./mlp.ts";

/** Attention and MLP, each with a norm after its residual connection (Vaswani et al. 2017, BERT). */
export class PostNormBlock {
  /** Prefix of its hook points. */
  readonly name: string;
  /** Looks at other places. */
  readonly attention: Attention;
  /** After attention. */
  readonly norm1: LayerNorm;
  /** Works on each place. */
  readonly mlp: Mlp;
  /** After the MLP. */
  readonly norm2: LayerNorm;

  /** Takes its layers from the model that owns them. */
  constructor(name: string, layers: Pick<PostNormBlock, "attention" | "norm1" | "mlp" | "norm2">) {
    this.name = name;
    this.attention = layers.attention;
    this.norm1 = layers.norm1;
    this.mlp = layers.mlp;
    this.norm2 = layers.norm2;
  }

  /** (B, T, C) to (B, T, C). */
  forward(run: Run, x: Tensor, options: { mask?: Tensor } = {}): Tensor {
    const { name } = this;
    const before = run.hook(`${name}hook_resid_pre`, x);
    const attended = this.attention.forward(run, before, { name, ...options });
    const { out: normalized } = this.norm1.afterAdd(
      run,
      before,
      run.hook(`${name}hook_attn_out`, attended),
      { sum: `${name}hook_resid_mid`, norm: `${name}ln1.` },
    );
    const thought = this.mlp.forward(run, normalized, name);
    const { out } = this.norm2.afterAdd(
      run,
      normalized,
      run.hook(`${name}hook_mlp_out`, thought),
      { sum: `${name}hook_resid_post`, norm: `${name}ln2.` },
    );
    return run.hook(`${name}hook_normalized_resid_post`, out);
  }
}
