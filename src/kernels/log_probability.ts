/**
 * Logarithms of the probabilities of tokens that were drawn.
 *
 * @module
 */
import source from "../../shaders/log_probability.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { lanesOf, lanesSharing } from "./launch.ts";

const kernel = new Kernel("log_probability", source);

/**
 * Writes the logarithm of the probability that `logits` (B, …, V) give to `ids` (B) into one column
 * of `out` (B, capacity).
 */
export function logProbability(
  { logits, ids, out }: { logits: Tensor; ids: Tensor; out: Tensor },
  column: number,
): void {
  const { device } = logits;
  const vocabulary = logits.shape.at(-1)!;
  device.dispatch(kernel, "forward", {
    bindings: { logits, ids, out },
    uniforms: { vocabulary, capacity: out.shape[1], column },
    overrides: { lanes: lanesSharing(device, 2 * vocabulary, lanesOf(device)) },
    workgroups: [ids.size],
  });
}
