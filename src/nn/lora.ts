/**
 * Low-rank adaptation of a linear layer (Hu et al. 2021, arXiv:2106.09685).
 *
 * @module
 */
import { dropout } from "../autograd/ops/dropout.ts";
import { addLowRank } from "../autograd/ops/low_rank.ts";
import type { Parameter } from "../autograd/parameter.ts";
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { addColumns } from "../kernels/columns.ts";
import { matmul } from "../kernels/matmul.ts";

/** What one adaptation adds, and to which columns. */
export interface LoraOptions {
  /** A (r, in). */
  down: Parameter;
  /** B (columns, r); zeros at first, so that training begins from the model as it was. */
  up: Parameter;
  /** alpha/r, which multiplies the product. */
  scale: number;
  /** First column of the result that it adds to. */
  offset: number;
  /** Dropout on what it reads. */
  dropout: number;
}

/** Adds `scale·(x·Aᵀ)·Bᵀ` to columns of what a linear layer makes of x. */
export class Lora {
  /** The layer's name in the model's file, such as `transformer.h.0.attn.c_attn`. */
  readonly name: string;
  /** A (r, in). */
  readonly down: Parameter;
  /** B (columns, r). */
  readonly up: Parameter;
  /** alpha/r. */
  readonly scale: number;
  /** First column of the result that it adds to. */
  readonly offset: number;
  /** Probability of dropping what it reads, while training. */
  readonly dropout: number;

  /** `addLora` of a model is the usual way in. */
  constructor(name: string, options: LoraOptions) {
    this.name = name;
    this.down = options.down;
    this.up = options.up;
    this.scale = options.scale;
    this.offset = options.offset;
    this.dropout = options.dropout;
  }

  /** x (…, in), and out (…, C), which is overwritten: (…, C). */
  forward(run: Run, x: Tensor, out: Tensor): Tensor {
    const { down, up, scale, offset } = this;
    return addLowRank(run, dropout(run, x, this.dropout), { down, up, scale, offset, out });
  }

  /** Adds what it stands for to a weight (in, C), or (C, in) if `transposed`. */
  mergeInto(weight: Tensor, { transposed }: { transposed: boolean }): void {
    const { down, up, scale, offset } = this;
    using _scope = weight.device.scope();
    if (!transposed) {
      const delta = matmul(down, up, { transposeA: true, transposeB: true }); // (in, columns)
      return addColumns(delta, weight, { offset, factor: scale });
    }
    // Rows of the weight lie one behind the other: a block of them is a block of one long row.
    const delta = matmul(up, down); // (columns, in)
    addColumns(delta.reshape([delta.size]), weight.reshape([weight.size]), {
      offset: offset * down.shape[1],
      factor: scale,
    });
  }
}
