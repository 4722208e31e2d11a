/**
 * A linear layer.
 *
 * @module
 */
import { activation } from "../autograd/ops/activation.ts";
import { linear, linearGelu } from "../autograd/ops/linear.ts";
import type { Parameter } from "../autograd/parameter.ts";
import type { QuantizedWeight } from "../autograd/quantized_weight.ts";
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { ActivationKind } from "../kernels/activation.ts";
import type { Lora } from "./lora.ts";

/** `x·W + b` with W (in, out), as GPT-2's files have it, or (out, in) if `transposed`, as BERT's do. */
export class Linear {
  /** (in, out), or (out, in) if `transposed`; in f32, or in fewer bits and not trained. */
  readonly weight: Parameter | QuantizedWeight;
  /** (out). */
  readonly bias: Parameter | undefined;
  /** Whether the weight is stored (out, in). */
  readonly transposed: boolean;
  /** Low-rank adaptations of it, or of parts of its columns. */
  adaptations: readonly Lora[] = [];

  /** Takes its parameters from the model that owns them. */
  constructor(
    weight: Parameter | QuantizedWeight,
    bias?: Parameter,
    options: { transposed?: boolean } = {},
  ) {
    this.weight = weight;
    this.bias = bias;
    this.transposed = options.transposed ?? false;
  }

  /** (…, in) to (…, out). */
  forward(run: Run, x: Tensor): Tensor {
    const out = linear(run, x, this);
    return this.adaptations.reduce((sum, lora) => lora.forward(run, x, sum), out);
  }

  /**
   * A nonlinearity of what `forward` gives: (…, in) to (…, out). GELU of a layer without adaptations is in
   * the kernel of its product.
   */
  forwardActivated(run: Run, x: Tensor, kind: ActivationKind): Tensor {
    if (this.adaptations.length > 0 || !("gelu" in kind)) {
      return activation(run, this.forward(run, x), kind);
    }
    const { weight, bias, transposed } = this;
    return linearGelu(run, x, { weight, bias, transposed, kind: kind.gelu });
  }
}

/** Gives the memory of what was added to layers back. */
export function disposeAdaptations(linears: readonly Linear[]): void {
  for (const { adaptations } of linears) {
    for (const { down, up } of adaptations) for (const p of [down, up]) p[Symbol.dispose]();
  }
}
