/**
 * The order of ids, sorted.
 *
 * @module
 */
import source from "../../shaders/argsort.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { lanesOf, perElement } from "./launch.ts";

const kernel = new Kernel("argsort", source);

/** Bits of an id that one pass sorts by, at most. */
const MOST_BITS = 9;
/** Positions that one invocation handles, at least; and invocations, at most. */
const [LEAST_CHUNK, MOST_CHUNKS] = [64, 256];
/** Invocations that add up counts on a GPU; every adapter has that many in a workgroup. */
const GPU_LANES = 256;

/**
 * The positions of ids in ascending order of the ids, equal ids in the order in which they stand. Takes
 * linear time: two passes for up to 2¹⁸ different ids.
 *
 * @param options.below more than the largest id
 */
export function argsort(ids: Tensor, options: { below: number }): Tensor {
  const { device, size: count } = ids;
  const bits = Math.max(1, 32 - Math.clz32(options.below - 1));
  const passes = Math.ceil(bits / MOST_BITS);
  const digit = Math.ceil(bits / passes);
  const chunk = Math.max(LEAST_CHUNK, Math.ceil(count / MOST_CHUNKS));
  const chunks = Math.ceil(count / chunk);
  const bins = 2 ** digit;
  const places = device.tensor([bins, chunks], "u32");
  let order: Tensor | undefined;
  for (let pass = 0; pass < passes; pass++) {
    const uniforms = { count, chunk, chunks, shift: pass * digit, bins };
    const launch = perElement(device, chunks);
    launch.overrides.has_order = order !== undefined;
    const read = { ids, order: order ?? device.nothing, places };
    device.dispatch(kernel, "count", { bindings: read, uniforms, ...launch });
    device.dispatch(kernel, "scan", {
      bindings: { places },
      uniforms,
      overrides: { lanes: device.isCpu ? lanesOf(device) : GPU_LANES },
      workgroups: [1],
    });
    const sorted = device.tensor([count], "u32");
    device.dispatch(kernel, "scatter", { bindings: { ...read, sorted }, uniforms, ...launch });
    if (order) device.pool.release(order.buffer);
    order = sorted;
  }
  device.pool.release(places.buffer);
  return order!;
}
