/**
 * Sweeps: the same part of every layer at each place, or of each head.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { ProbedModel } from "../probed_model.ts";
import type { Site } from "./sites.ts";

/** Cells in rows and columns. */
export interface Sweep {
  /** What is patched, for a heading. */
  title: string;
  /** What the rows are, and the name of each. */
  rows: { title: string; names: string[] };
  /** What the columns are, and the name of each. */
  columns: { title: string; names: string[] };
  /** Row by row. */
  cells: Site[][];
}

/** Parts of a block by place. */
export type PlacePart = "resid_pre" | "resid_mid" | "resid_post" | "attn_out" | "mlp_out";
/** Parts of a block by head. */
export type HeadPart = "z" | "q" | "k" | "v" | "pattern";

const PLACE_PARTS: Record<PlacePart, string> = {
  resid_pre: "residual stream before each block",
  resid_mid: "residual stream after attention",
  resid_post: "residual stream after each block",
  attn_out: "output of attention",
  mlp_out: "output of the MLP",
};
const HEAD_PARTS: Record<HeadPart, string> = {
  z: "output of each head",
  q: "queries of each head",
  k: "keys of each head",
  v: "values of each head",
  pattern: "pattern of each head",
};

/** What can be swept by place. */
export const placeParts: readonly PlacePart[] = Object.keys(PLACE_PARTS) as PlacePart[];
/** What can be swept by head. */
export const headParts: readonly HeadPart[] = Object.keys(HEAD_PARTS) as HeadPart[];

/**
 * Layer by place: one part of every block at each place of the sequence.
 *
 * @param options the part, how many places there are, and names for them, such as their tokens
 */
export function sweepPlaces(
  model: ProbedModel,
  { part, time, names }: { part: PlacePart; time: number; names?: readonly string[] },
): Sweep {
  const places = Array.from({ length: time }, (_, t) => t);
  const layers = layersOf(model);
  return {
    title: PLACE_PARTS[part],
    rows: { title: "layer", names: layers.map(String) },
    columns: { title: "place", names: places.map((t) => names?.[t] ?? `${t}`) },
    cells: layers.flatMap((layer) =>
      places.map((t) => [{ at: `blocks.${layer}.hook_${part}`, positions: [t] }])
    ),
  };
}

/** Layer by head: one part of every head, at all places or at some. */
export function sweepHeads(
  model: ProbedModel,
  { part, positions }: { part: HeadPart; positions?: readonly number[] },
): Sweep {
  const heads = Array.from({ length: model.config.heads }, (_, head) => head);
  const layers = layersOf(model);
  return {
    title: HEAD_PARTS[part],
    rows: { title: "layer", names: layers.map(String) },
    columns: { title: "head", names: heads.map(String) },
    cells: layers.flatMap((layer) =>
      heads.map((head) => [{ at: `blocks.${layer}.attn.hook_${part}`, heads: [head], positions }])
    ),
  };
}

/**
 * A sweep by the name of its part.
 *
 * @throws {VitrailError} if there is no such part
 */
export function sweepOf(
  model: ProbedModel,
  { part, time, names }: { part: string; time: number; names?: readonly string[] },
): Sweep {
  if (part in PLACE_PARTS) return sweepPlaces(model, { part: part as PlacePart, time, names });
  if (part in HEAD_PARTS) return sweepHeads(model, { part: part as HeadPart });
  throw new VitrailError(
    `Cannot patch at ${part}: wanted one of ${[...placeParts, ...headParts].join(", ")}`,
  );
}

function layersOf(model: ProbedModel): number[] {
  return Array.from({ length: model.config.layers }, (_, layer) => layer);
}
