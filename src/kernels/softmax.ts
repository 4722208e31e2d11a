/**
 * Softmax over the last dimension.
 *
 * @module
 */
import source from "../../shaders/softmax.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perRow } from "./launch.ts";

const kernel = new Kernel("softmax", source);

/** Softmax of each row; entries of -1e38 or less are masked and get zero. */
export function softmax(x: Tensor): Tensor {
  const columns = x.shape.at(-1)!;
  const out = x.device.tensor(x.shape);
  x.device.dispatch(kernel, "forward", {
    bindings: { x, out },
    uniforms: { row_count: x.size / columns, columns },
    ...perRow(x.device, x.size / columns, { rounds: 3 * columns }),
  });
  return out;
}

/** `out·(dOut - Σ out·dOut)` for each row. */
export function softmaxBackward(out: Tensor, dOut: Tensor): Tensor {
  const columns = out.shape.at(-1)!;
  const dX = out.device.tensor(out.shape);
  out.device.dispatch(kernel, "backward", {
    bindings: { out, d_out: dOut, d_x: dX },
    uniforms: { row_count: out.size / columns, columns },
    ...perRow(out.device, out.size / columns, { rounds: 2 * columns }),
  });
  return dX;
}
