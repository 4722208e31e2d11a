/**
 * Reference of one AdamW update (Loshchilov & Hutter 2019, algorithm 2).
 *
 * @module
 */

/** The numbers of one update. */
export interface AdamWRates {
  /** Learning rate. */
  lr: number;
  /** Decay rate of the first moment. */
  beta1: number;
  /** Decay rate of the second moment. */
  beta2: number;
  /** Added to the root of the second moment. */
  epsilon: number;
  /** Decoupled weight decay. */
  decay: number;
  /** Which update this is, from 1. */
  step: number;
}

/** A parameter and its moments. */
export interface AdamWState {
  /** The parameter. */
  value: Float64Array;
  /** First moment. */
  m: Float64Array;
  /** Second moment. */
  v: Float64Array;
}

/** The state after one update with the gradient times `factor`. */
export function adamw(
  state: AdamWState,
  gradient: ArrayLike<number>,
  options: AdamWRates & { factor: number },
): AdamWState {
  const { lr, beta1, beta2, epsilon, decay, step, factor } = options;
  const m = state.m.map((m, i) => beta1 * m + (1 - beta1) * factor * gradient[i]);
  const v = state.v.map((v, i) => beta2 * v + (1 - beta2) * (factor * gradient[i]) ** 2);
  const value = state.value.map((value, i) => {
    const [mHat, vHat] = [m[i] / (1 - beta1 ** step), v[i] / (1 - beta2 ** step)];
    return value * (1 - lr * decay) - lr * mHat / (Math.sqrt(vHat) + epsilon);
  });
  return { value, m, v };
}
