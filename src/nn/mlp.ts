/**
 * The feed-forward layer of a block.
 *
 * @module
 */
import { activation } from "../autograd/ops/activation.ts";
import { dropout } from "../autograd/ops/dropout.ts";
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { ActivationKind } from "../kernels/activation.ts";
import type { Linear } from "./linear.ts";

/** What an MLP is made with. */
export interface MlpConfig {
  /** The nonlinearity. */
  activation: ActivationKind;
  /** Dropout on the output. */
  residualDropout: number;
}

/** Up, nonlinearity, down (Vaswani et al. 2017, section 3.3). */
export class Mlp {
  /** (C, 4·C). */
  readonly up: Linear;
  /** (4·C, C). */
  readonly down: Linear;
  /** Nonlinearity and dropout. */
  readonly config: MlpConfig;

  /** Takes its layers from the model that owns them. */
  constructor(up: Linear, down: Linear, config: MlpConfig) {
    this.up = up;
    this.down = down;
    this.config = config;
  }

  /** (B, T, C) to (B, T, C). `name` is the block's prefix of hook points. */
  forward(run: Run, x: Tensor, name: string): Tensor {
    const { activation: kind, residualDropout } = this.config;
    const pre = `${name}mlp.hook_pre`;
    // One kernel makes the product and GELU of it, unless somebody listens between the two.
    const activated = run.hooked(pre) // (B, T, 4C)
      ? activation(run, run.hook(pre, this.up.forward(run, x)), kind)
      : this.up.forwardActivated(run, x, kind);
    const after = run.hook(`${name}mlp.hook_post`, activated);
    return dropout(run, this.down.forward(run, after), residualDropout);
  }
}
