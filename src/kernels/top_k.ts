/**
 * The k largest numbers of each row, as a sparse autoencoder keeps them.
 *
 * @module
 */
import source from "../../shaders/top_k.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { both, fours, lanesOf, lanesSharing, perElement, perRow } from "./launch.ts";

const kernel = new Kernel("top_k", source);

/** How often a search looks at each number: 14 cuts into fifths, and at most 8 times besides. */
const LOOKS = 22;

/** Uniforms that an entry point does not look at. */
const NONE = { rows: 0, columns: 0, fours: 0, k: 0, limit: 0, first: 0, end: 0 };

/** Rows that one dispatch looks down a column. */
const ROWS_DOWN = 32768;

/** Which columns may be taken: those that were not for so many rows. */
export interface OldColumns {
  /** Rows since a column was last taken (columns), u32. */
  age: Tensor;
  /** The age from which on a column counts as old. */
  limit: number;
}

/**
 * Of each row of x (…, columns) the k largest numbers above zero, zeros elsewhere. Of equal numbers the
 * first count. With `old`, of those columns alone.
 *
 * @throws {VitrailError} if k is no whole number above 0, or there are not as many ages as columns
 */
export function topK(x: Tensor, k: number, options: { old?: OldColumns } = {}): Tensor {
  const { old } = options;
  const columns = x.shape.at(-1)!;
  if (!Number.isInteger(k) || k < 1) {
    throw new VitrailError(`Cannot keep the ${k} largest of a row: wanted a whole number from 1`);
  }
  if (old && old.age.size !== columns) {
    throw new VitrailError(
      `Cannot tell which of ${columns} columns are old by ${old.age.size} ages: sizes must match`,
    );
  }
  const { device } = x;
  const rows = x.size / columns;
  const out = device.tensor(x.shape);
  const isOdd = columns % 4 !== 0;
  const usual = lanesOf(device);
  const needed = lanesSharing(device, LOOKS * (isOdd ? columns : columns / 4), 1);
  const { overrides, workgroups } = perRow(device, rows, {
    team: needed === 1 ? [usual, 1] : [1, Math.max(usual, needed)],
  });
  device.dispatch(kernel, isOdd ? "forward_odd" : "forward", {
    bindings: both({ x, out, age: old?.age ?? device.nothing }),
    uniforms: { ...NONE, rows, columns, k, limit: old?.limit ?? 0 },
    overrides: { ...overrides, only_old: old !== undefined },
    workgroups,
  });
  return out;
}

/** Writes or adds `dOut` into `dX` where `out`, which `topK` returned, is above zero. */
export function topKBackward(
  out: Tensor,
  dOut: Tensor,
  options: { dX: Tensor; accumulate: boolean },
): void {
  const { dX, accumulate } = options;
  const { overrides, workgroups } = perElement(out.device, fours(out));
  out.device.dispatch(kernel, "backward", {
    bindings: { out, d_out: dOut, d_x: dX },
    uniforms: { ...NONE, fours: fours(out) },
    overrides: { ...overrides, accumulate },
    workgroups,
  });
}

/** Sets the ages of columns that are above zero in some row of `out` to 0, and adds the rows to others'. */
export function updateAges(out: Tensor, age: Tensor): void {
  const columns = out.shape.at(-1)!;
  const rows = out.size / columns;
  for (let first = 0; first < rows; first += ROWS_DOWN) {
    out.device.dispatch(kernel, "ages", {
      bindings: { out_odd: out, ages_out: age },
      uniforms: { ...NONE, rows, columns, first, end: Math.min(rows, first + ROWS_DOWN) },
      ...perElement(out.device, columns, 1),
    });
  }
}
