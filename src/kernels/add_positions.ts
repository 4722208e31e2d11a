/**
 * Position embeddings of the next tokens of sequences of different lengths.
 *
 * @module
 */
import source from "../../shaders/add_positions.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("add_positions", source);

/** Adds to each row of x (B, 1, C) that of `position` (context, C) at `past` less its entry of `pads` (B). */
export function addPositions(
  x: Tensor,
  options: { position: Tensor; pads: Tensor; past: number },
): void {
  const { position, pads, past } = options;
  const [context, channels] = position.shape;
  x.device.dispatch(kernel, "forward", {
    bindings: { x, position, pads },
    uniforms: { channels, context, past },
    ...perElement(x.device, channels, pads.size, 1),
  });
}
