/**
 * The optimizer: AdamW over all parameters of a model, with global-norm clipping.
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import { VitrailError } from "../errors.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { adamw } from "../kernels/adamw.ts";
import { createGradientNorm, type GradientNorm } from "../kernels/gradient_norm.ts";

/** Rates of the optimizer. */
export interface AdamWOptions {
  /** Decay rates of the two moments. */
  betas?: [number, number];
  /** Added to the root of the second moment. */
  epsilon?: number;
  /** Decoupled decay of tensors with two or more dimensions; biases and norms do not decay. */
  weightDecay?: number;
  /** Largest global gradient norm; 0 does not clip. */
  clip?: number;
  /** Multiplies the learning rate of a parameter, such as `layerwiseRates` does; 1 if absent. */
  rateOf?: (parameter: Parameter) => number;
}

/** First and second moments of one parameter. */
export interface Moments {
  /** Mean of the gradient. */
  m: Tensor;
  /** Mean of its square. */
  v: Tensor;
}

/** AdamW (Loshchilov & Hutter 2019) with its state on the device. */
export class AdamW {
  /** What it trains. */
  readonly parameters: Parameter[];
  /** By parameter, in the same order. */
  readonly moments: Moments[];
  /** Norms of the last step's gradients. */
  readonly norm: GradientNorm;
  /** Updates done so far. */
  steps = 0;
  readonly #options: Required<Omit<AdamWOptions, "rateOf">>;
  readonly #factors: number[];

  /**
   * Moments begin at zero. Parameters that are frozen now are left out, and have none.
   *
   * @throws {VitrailError} if all are frozen, or a factor of the learning rate is below zero
   */
  constructor(parameters: Parameter[], options: AdamWOptions = {}) {
    const { rateOf = () => 1, ...rest } = options;
    this.parameters = parameters.filter((p) => !p.frozen);
    if (this.parameters.length === 0) {
      throw new VitrailError(
        `Cannot train: all of ${parameters.length} parameters are frozen; leave at least one free`,
      );
    }
    this.#options = { betas: [0.9, 0.95], epsilon: 1e-8, weightDecay: 0.1, clip: 1, ...rest };
    this.#factors = this.parameters.map((p) => {
      const factor = rateOf(p);
      if (factor >= 0 && factor < Infinity) return factor;
      throw new VitrailError(
        `Cannot train ${p.name} at ${factor} times the learning rate: wanted 0 or more`,
      );
    });
    const { device } = parameters[0];
    [this.moments, this.norm] = device.pool.persistent(() => [
      this.parameters.map((p) => ({ m: device.zeros(p.shape), v: device.zeros(p.shape) })),
      createGradientNorm(this.parameters.map((p) => p.size), parameters[0]),
    ]);
  }

  /** Clears all gradients; before the first micro-step of a step. */
  clearGradients(): void {
    for (const p of this.parameters) p.clearGradient();
  }

  /** Clips and applies the gradients. Gradients that are not finite change nothing. */
  step(lr: number): void {
    const { betas: [beta1, beta2], epsilon, weightDecay, clip } = this.#options;
    this.steps++;
    this.norm.compute(this.parameters.map((p) => p.gradient), clip);
    this.parameters.forEach((value, i) => {
      const decay = value.shape.length >= 2 ? weightDecay : 0;
      adamw(
        { value, gradient: value.gradient, ...this.moments[i], clip: this.norm.clip },
        { lr: lr * this.#factors[i], beta1, beta2, epsilon, decay, step: this.steps },
      );
    });
  }
}
