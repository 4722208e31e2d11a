/**
 * The feed-forward layer of a block.
 *
 * @module
 */
import { dropout } from "../autograd/ops/dropout.ts";
import { gelu } from "../autograd/ops/gelu.ts";
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { GeluKind } from "../kernels/gelu.ts";
import type { Linear } from "./linear.ts";

/** Up, GELU, down (Vaswani et al. 2017, section 3.3, with GELU for ReLU). */
export class Mlp {
  /** (C, 4·C). */
  readonly up: Linear;
  /** (4·C, C). */
  readonly down: Linear;
  /** Which GELU, and the dropout on the output. */
  readonly config: { activation: GeluKind; residualDropout: number };

  /** Takes its layers from the model that owns them. */
  constructor(up: Linear, down: Linear, config: { activation: GeluKind; residualDropout: number }) {
    this.up = up;
    this.down = down;
    this.config = config;
  }

  /** (B, T, C) to (B, T, C). `name` is the block's prefix of hook points. */
  forward(run: Run, x: Tensor, name: string): Tensor {
    const { activation, residualDropout } = this.config;
    const pre = `${name}mlp.hook_pre`;
    // One kernel makes the product and GELU of it, unless somebody listens between the two.
    const activated = run.hooked(pre) // (B, T, 4C)
      ? gelu(run, run.hook(pre, this.up.forward(run, x)), activation)
      : this.up.forwardGelu(run, x, activation);
    const after = run.hook(`${name}mlp.hook_post`, activated);
    return dropout(run, this.down.forward(run, after), residualDropout);
  }
}
