/**
 * A block of neighbouring columns of a matrix, such as the queries of packed queries, keys and values.
 *
 * @module
 */
import source from "../../shaders/columns.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("columns", source);

/** Where a block of columns lies, and what it is multiplied by on its way. */
export interface ColumnBlock {
  /** Its first column; 0 if absent. */
  offset?: number;
  /** Multiplies each element; 1 if absent. */
  factor?: number;
}

/** `factor·x[…, offset : offset + columns]`: (…, C) to (…, columns). */
export function readColumns(x: Tensor, columns: number, block: ColumnBlock = {}): Tensor {
  const out = x.device.tensor([...x.shape.slice(0, -1), columns], x.dtype);
  launch("take", { block, dense: out, whole: x, bindings: { x, out } });
  return out;
}

/**
 * `out[…, offset : offset + columns] += factor·x`, with x (…, columns) and out (…, C).
 *
 * @throws {VitrailError} if the block does not lie within the columns of out, or the rows differ.
 */
export function addColumns(x: Tensor, out: Tensor, block: ColumnBlock = {}): void {
  launch("accumulate", { block, dense: x, whole: out, bindings: { x, out } });
}

function launch(
  entryPoint: "take" | "accumulate",
  { block, dense, whole, bindings }: {
    block: ColumnBlock;
    dense: Tensor;
    whole: Tensor;
    bindings: { x: Tensor; out: Tensor };
  },
): void {
  const { offset = 0, factor = 1 } = block;
  const [columns, stride] = [dense.shape.at(-1)!, whole.shape.at(-1)!];
  const rows = dense.size / columns;
  if (offset < 0 || offset + columns > stride || rows * stride !== whole.size) {
    throw new VitrailError(
      `Cannot move columns ${offset} to ${offset + columns} between (${dense.shape.join(", ")}) ` +
        `and (${whole.shape.join(", ")}): rows must match and the columns lie within ${stride}`,
    );
  }
  dense.device.dispatch(kernel, entryPoint, {
    bindings,
    uniforms: { rows, columns, stride, offset, factor },
    ...perElement(dense.device, dense.size),
  });
}
