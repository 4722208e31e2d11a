/**
 * Blocks of neighbouring columns taken apart and put together, recorded.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { addColumns, readColumns } from "../../kernels/columns.ts";
import type { Run } from "../run.ts";

/** `x[…, offset : offset + columns]`: (…, C) to (…, columns). */
export function takeColumns(
  run: Run,
  x: Tensor,
  { offset, columns }: { offset: number; columns: number },
): Tensor {
  const out = readColumns(x, columns, { offset });
  run.record(out, [x], (dOut, gradients) => {
    gradients.into(x, ({ tensor, accumulate }) => {
      if (!accumulate) x.device.commands.clear(tensor.buffer);
      addColumns(dOut, tensor, { offset });
    });
  });
  return out;
}

/** Blocks (…, C₁), (…, C₂), … side by side: (…, C₁ + C₂ + …). */
export function packColumns(run: Run, parts: readonly Tensor[]): Tensor {
  const [{ device, shape, dtype }] = parts;
  const widths = parts.map((part) => part.shape.at(-1)!);
  const offsets = widths.map((_, i) => widths.slice(0, i).reduce((sum, width) => sum + width, 0));
  const columns = offsets.at(-1)! + widths.at(-1)!;
  const out = device.zeros([...shape.slice(0, -1), columns], dtype);
  parts.forEach((part, i) => addColumns(part, out, { offset: offsets[i] }));
  run.record(out, [...parts], (dOut, gradients) => {
    parts.forEach((part, i) => {
      if (!run.tape!.wants(part)) return;
      gradients.give(part, readColumns(dOut, widths[i], { offset: offsets[i] }));
    });
  });
  return out;
}
