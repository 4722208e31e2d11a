/**
 * Rows of length one, and gradients that leave their length alone.
 *
 * @module
 */
import source from "../../shaders/unit_rows.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perRow } from "./launch.ts";

const kernel = new Kernel("unit_rows", source);

/** Divides each row of weight (rows, columns) by its length, in place. */
export function normalizeRows(weight: Tensor): void {
  launch("normalize", weight, { weight });
}

/**
 * Takes from each row of a gradient what points along the row of weight, which is of length one.
 *
 * @throws {VitrailError} if their sizes differ
 */
export function projectRows(gradient: Tensor, weight: Tensor): void {
  if (gradient.size !== weight.size) {
    throw new VitrailError(
      `Cannot project (${gradient.shape.join(", ")}) along the rows of ` +
        `(${weight.shape.join(", ")}): shapes must match`,
    );
  }
  launch("project", weight, { weight, gradient });
}

function launch(
  entryPoint: "normalize" | "project",
  weight: Tensor,
  bindings: Record<string, Tensor>,
): void {
  const columns = weight.shape.at(-1)!;
  const rows = weight.size / columns;
  weight.device.dispatch(kernel, entryPoint, {
    bindings,
    uniforms: { row_count: rows, columns },
    ...perRow(weight.device, rows, { rounds: 2 * columns }),
  });
}
