/**
 * The optimizer: AdamW over all parameters of a model, with global-norm clipping.
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import type { HalfPrecision } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, notNegative, positive, probability } from "../formats/option_rules.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { adamw } from "../kernels/adamw.ts";
import { createGradientNorm, type GradientNorm } from "../kernels/gradient_norm.ts";
import { type FlatGroup, flatGroups } from "./flat_group.ts";
import { type LossScaleOptions, MixedPrecision } from "./mixed_precision.ts";

/** Rates of the optimizer. */
export interface AdamWOptions extends LossScaleOptions {
  /** Decay rates of the two moments. */
  betas?: [number, number];
  /** Added to the root of the second moment. */
  epsilon?: number;
  /** Decoupled decay of tensors with two or more dimensions; biases and norms do not decay. */
  weightDecay?: number;
  /** Largest global gradient norm; 0 does not clip. */
  clip?: number;
  /**
   * Type of activations and of the weights that multiply them; f32 if absent. Gradients of parameters,
   * moments and the weights that are trained are f32 in any case.
   */
  precision?: "f32" | "f16";
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
export class AdamW implements Disposable {
  /** What it trains. */
  readonly parameters: Parameter[];
  /** By parameter, in the same order. */
  readonly moments: Moments[];
  /** Norms of the last step's gradients. */
  readonly norm: GradientNorm;
  /** What a pass in f16 needs, where that is the precision. */
  readonly half: HalfPrecision | undefined;
  /** Updates done so far. */
  steps = 0;
  readonly #options: Required<Pick<AdamWOptions, "betas" | "epsilon" | "weightDecay" | "clip">>;
  readonly #groups: { group: FlatGroup; factor: number; decay: number }[];
  readonly #owned: DisposableStack;

  /**
   * Moments begin at zero. Parameters that are frozen now are left out, and have none. The others move
   * into memory that those of equal rates share: one dispatch updates all of a group.
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
    const { betas: [beta1, beta2] } = this.#options;
    checkOptions("Cannot train", { ...this.#options, beta1, beta2 }, {
      beta1: probability,
      beta2: probability,
      epsilon: positive,
      weightDecay: notNegative,
      clip: notNegative,
    });
    const factors = new Map(this.parameters.map((p) => {
      const factor = rateOf(p);
      if (factor >= 0 && factor < Infinity) return [p, factor];
      throw new VitrailError(
        `Cannot train ${p.name} at ${factor} times the learning rate: wanted 0 or more`,
      );
    }));
    const decayOf = (p: Parameter) => p.shape.length >= 2 ? this.#options.weightDecay : 0;
    using owned = new DisposableStack();
    const groups = flatGroups(this.parameters, (p) => `${factors.get(p)} ${decayOf(p)}`);
    groups.forEach((group) => owned.use(group));
    this.#groups = groups.map((group) => {
      const [first] = group.parameters;
      return { group, factor: factors.get(first)!, decay: decayOf(first) };
    });
    const { device } = parameters[0];
    const memory = owned.use(device.detachedScope());
    const half = rest.precision === "f16" ? new MixedPrecision(memory, groups, rest) : undefined;
    this.half = half;
    const moments = new Map(groups.flatMap((group) =>
      group.parameters.map((p, i) => [p, {
        m: group.part(group.m, i),
        v: group.part(group.v, i),
      }])
    ));
    this.moments = this.parameters.map((p) => moments.get(p)!);
    const measured = groups.map(({ gradients, parts, parameters }) => ({
      flat: gradients,
      parts,
      indices: parameters.map((p) => this.parameters.indexOf(p)),
    }));
    const scale = half && { state: half.lossScale, growth: half.growth };
    this.norm = memory.run(() =>
      device.pool.as("optimizer state", () => createGradientNorm(measured, scale))
    );
    for (const group of groups) group.moveIn();
    // The buffers that they moved out of are of odd sizes that are not used again.
    device.pool.trim();
    this.#owned = owned.move();
  }

  /**
   * Gives the gradients and the optimizer's state back. The parameters can be used, and trained by
   * another; to go on with this one is an error.
   */
  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }

  /** Clears all gradients; before the first micro-step of a step. */
  clearGradients(): void {
    for (const { group: { gradients } } of this.#groups) {
      gradients.device.commands.clear(gradients.buffer);
    }
  }

  /**
   * Clips and applies the gradients. Gradients that are not finite change nothing; in f16 they halve the
   * loss scale. Such a step counts among the steps of the bias correction all the same, since the host
   * does not know of it when it records the next one.
   */
  step(lr: number): void {
    const { betas: [beta1, beta2], epsilon, clip } = this.#options;
    this.steps++;
    this.norm.compute(clip);
    for (
      const { group: { values: value, gradients: gradient, m, v }, factor, decay } of this.#groups
    ) {
      adamw(
        { value, gradient, m, v, clip: this.norm.clip },
        { lr: lr * factor, beta1, beta2, epsilon, decay, step: this.steps },
      );
    }
  }
}
