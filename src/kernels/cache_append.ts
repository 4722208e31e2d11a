/**
 * Writing keys and values into a cache.
 *
 * @module
 */
import source from "../../shaders/cache_append.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("cache_append", source);

/** Copies columns offset..offset+C of x (B, T, row) into places past..past+T of cache (B, capacity, C). */
export function cacheAppend(
  x: Tensor,
  cache: Tensor,
  options: { offset: number; past: number },
): void {
  const [batch, time, row] = x.shape;
  const [, capacity, channels] = cache.shape;
  x.device.dispatch(kernel, "forward", {
    bindings: { x, cache },
    uniforms: { channels, time, row, capacity, ...options },
    ...perElement(x.device, channels, time, batch),
  });
}
