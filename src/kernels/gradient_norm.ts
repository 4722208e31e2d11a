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

/** Buffers and layout for the gradients of one set of parameters. */
export interface GradientNorm {
  /** (norm, clipping factor, 1 if the norm is not finite). */
  clip: Tensor;
  /** Σ g² of each tensor, which tells where an infinite norm came from. */
  sums: Tensor;
  /** Records the computation for these gradients. */
  compute(gradients: Tensor[], limit: number): void;
}

/** Lays out the sums for tensors of the given sizes. */
export function createGradientNorm(sizes: number[], like: Tensor): GradientNorm {
  const { device } = like;
  const counts = sizes.map((n) => Math.min(Math.ceil(n / ELEMENTS_EACH), MAX_PARTIALS));
  const starts = new Uint32Array(sizes.length + 1);
  counts.forEach((count, i) => starts[i + 1] = starts[i] + count);
  const startsTensor = device.upload(starts);
  const partial = device.tensor([starts.at(-1)!]);
  const sums = device.tensor([sizes.length]);
  const clip = device.zeros([3]);
  const compute = (gradients: Tensor[], limit: number): void => {
    const tensors = gradients.length;
    gradients.forEach((gradient, i) => {
      device.dispatch(kernel, "squares", {
        bindings: { gradient, partial },
        uniforms: { size: gradient.size, stride: counts[i], start: starts[i], tensors, limit },
        ...perElement(device, counts[i], 1),
      });
    });
    const uniforms = { size: 0, stride: 0, start: 0, tensors, limit };
    device.dispatch(kernel, "tensors", {
      bindings: { partial, starts: startsTensor, sums },
      uniforms,
      ...perElement(device, tensors, 1),
    });
    device.dispatch(kernel, "finish", { bindings: { sums, clip }, uniforms, workgroups: [1] });
  };
  return { clip, sums, compute };
}
