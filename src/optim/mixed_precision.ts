/**
 * Training with f16 activations (Micikevicius et al. 2018, arXiv:1710.03740): f32 master weights with f16
 * copies, and a loss scale that follows what the gradients bear.
 *
 * Nothing here is ever read by the host for a step to go on: the scale, and what becomes of it, stay on
 * the device.
 *
 * @module
 */
import { checkOptions, count, positive } from "../formats/option_rules.ts";
import type { HalfPrecision } from "../autograd/run.ts";
import type { Scope } from "../gpu/scope.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { cast } from "../kernels/cast.ts";
import type { FlatGroup } from "./flat_group.ts";

/** How the loss scale begins and grows. */
export interface LossScaleOptions {
  /** Its first value; 2¹⁶ if absent. */
  lossScale?: number;
  /** Steps in a row with finite gradients after which it doubles; 1000 if absent. */
  lossScaleGrowth?: number;
}

/** The f16 side of an optimizer's weights. */
export class MixedPrecision implements HalfPrecision {
  /** See {@linkcode HalfPrecision}. */
  readonly lossScale: Tensor;
  /** Finite steps in a row after which the scale doubles. */
  readonly growth: number;
  readonly #memory: Scope;
  readonly #groups: readonly FlatGroup[];
  readonly #copies = new Map<Tensor, Tensor>();

  /** Copies are made when they are first asked for; all belongs to `memory`. */
  constructor(memory: Scope, groups: readonly FlatGroup[], options: LossScaleOptions = {}) {
    const { lossScale = 2 ** 16, lossScaleGrowth = 1000 } = options;
    checkOptions("Cannot train in f16", { lossScale, lossScaleGrowth }, {
      lossScale: positive,
      lossScaleGrowth: count,
    });
    this.growth = lossScaleGrowth;
    this.#memory = memory;
    this.#groups = groups;
    const { device } = groups[0].values;
    this.lossScale = memory.run(() => device.upload(Float32Array.of(lossScale, 0, 0)));
  }

  /**
   * The f16 copy of a weight: part of its group's, or one of its own, made once, where the weight is
   * frozen.
   */
  weight(master: Tensor): Tensor {
    const known = this.#copies.get(master);
    if (known) return known;
    const copy = this.#partOf(master) ?? this.#memory.run(() => cast(master, "f16"));
    this.#copies.set(master, copy);
    return copy;
  }

  /** One dispatch for each group. */
  refresh(): void {
    for (const group of this.#groups) group.refreshHalves();
  }

  #partOf(master: Tensor): Tensor | undefined {
    for (const group of this.#groups) {
      const i = group.parameters.findIndex((p) => p === master);
      if (i >= 0) return group.part(group.halves, i);
    }
    return undefined;
  }
}
