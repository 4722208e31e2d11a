/**
 * The global gradient norm, and the factor that clips it.
 *
 * @module
 */
import source from "../../shaders/gradient_norm.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("gradient_norm", source);

/** Elements that one invocation adds, about. */
const ELEMENTS_EACH = 64;
/** Partial sums of one tensor, at most. */
const MAX_PARTIALS = 4096;

/** Gradients of several tensors in one. */
export interface FlatGradients {
  /** What holds them. */
  flat: Tensor;
  /** Where each lies: its first element, a multiple of four, and its number of elements. */
  parts: readonly { begin: number; size: number }[];
  /** Which of the sums each part makes. */
  indices: readonly number[];
}

/** How far gradients are scaled up, on the device. */
export interface LossScale {
  /** (scale, finite steps since it changed, steps that were not finite). */
  state: Tensor;
  /** Finite steps in a row after which the scale doubles. */
  growth: number;
}

/** Buffers and layout for the gradients of one set of parameters. */
export interface GradientNorm {
  /** (norm, clipping factor, 1 if the norm is not finite). */
  clip: Tensor;
  /** Σ g² of each tensor, which tells where an infinite norm came from. */
  sums: Tensor;
  /** Records the computation, and the factor for this limit; 0 does not clip. */
  compute(limit: number): void;
}

/**
 * Lays out the sums of so many tensors in all: one dispatch for each flat tensor, and two more. With
 * `lossScale` the gradients are that much too large: norm and factor are told without it, the sums with
 * it, and each computation brings the scale up to date.
 */
export function createGradientNorm(
  groups: readonly FlatGradients[],
  lossScale?: LossScale,
): GradientNorm {
  const { device } = groups[0].flat;
  const tensors = groups.reduce((sum, { parts }) => sum + parts.length, 0);
  // Sums of a tensor lie side by side, tensors in the order of their groups.
  let base = 0;
  const starts = new Uint32Array(2 * tensors);
  const launches = groups.map(({ flat, parts, indices }) => {
    const owner: number[] = [];
    const table = parts.flatMap(({ begin, size }, i) => {
      const stride = Math.min(Math.ceil(size / ELEMENTS_EACH), MAX_PARTIALS);
      const first = owner.length;
      for (let j = 0; j < stride; j++) owner.push(i);
      starts.set([base + first, base + first + stride], 2 * indices[i]);
      return [begin, size, stride, first];
    });
    const [owners, layout] = [owner, table].map((data) => device.upload(Uint32Array.from(data)));
    const bindings = { flat, owner: owners, parts: layout };
    const launch = { bindings, count: owner.length, base };
    base += owner.length;
    return launch;
  });
  const begins = device.upload(starts);
  const partial = device.tensor([base]);
  const sums = device.tensor([tensors]);
  const clip = device.zeros([3]);
  const growth = lossScale?.growth ?? 0;
  const compute = (limit: number): void => {
    for (const { bindings, count, base } of launches) {
      device.dispatch(kernel, "squares", {
        bindings: { ...bindings, partial },
        uniforms: { count, base, tensors, limit, growth },
        ...perElement(device, count),
      });
    }
    const uniforms = { count: 0, base: 0, tensors, limit, growth };
    device.dispatch(kernel, "tensors", {
      bindings: { partial, starts: begins, sums },
      uniforms,
      ...perElement(device, tensors, 1),
    });
    device.dispatch(kernel, lossScale ? "finish_scaled" : "finish", {
      bindings: { sums, clip, ...lossScale && { loss_scale: lossScale.state } },
      uniforms,
      workgroups: [1],
    });
  };
  return { clip, sums, compute };
}
