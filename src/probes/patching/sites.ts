/**
 * Where a probe interferes: a hook point, and which part of what passes there.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { HookNames } from "../hook_names.ts";

/** Part of one or more activations. What is not narrowed down is meant whole. */
export interface Site {
  /** The hook points. */
  at: HookNames;
  /** Places of the sequence, of a pattern those that look; negative ones count from the end. */
  positions?: readonly number[];
  /** Heads, where there are such. */
  heads?: readonly number[];
  /** Channels of the residual stream or of a head, or neurons of an MLP. */
  channels?: readonly number[];
}

/** A dimension by which a site may be narrowed down. */
type Axis = "positions" | "heads" | "channels";
const AXES: readonly Axis[] = ["positions", "heads", "channels"];

/** Pieces of one sequence's activation that lie together in memory, by their numbers. */
export interface Pieces {
  /** Elements in each. */
  length: number;
  /** Which ones: piece n begins `n·length` elements after the sequence's own beginning. */
  numbers: number[];
}

/**
 * The parts of an activation that sites mean, cut into pieces of one length.
 *
 * @param name the hook point, by which its dimensions are known
 * @param options its shape, (B, …), and the sites; the pieces of each site come in a list of its own
 * @throws {VitrailError} if a site is narrowed down by a dimension that is not there, or names a place,
 * head or channel that is not there
 */
export function piecesOf(
  name: string,
  { shape, sites }: { shape: readonly number[]; sites: readonly Site[] },
): Pieces[] {
  const axes = axesOf(name, shape);
  const lengths = shape.slice(1);
  // What is narrowed down by its innermost dimension must be cut that fine; and all must be cut alike.
  const depth = Math.max(...sites.map((site) => depthOf(site, { name, axes })));
  const length = lengths.slice(depth).reduce((product, n) => product * n, 1);
  return sites.map((site) => {
    let numbers = [0];
    for (let i = 0; i < depth; i++) {
      const chosen = indices(site, { axis: axes[i], length: lengths[i], name });
      numbers = numbers.flatMap((n) => chosen.map((index) => n * lengths[i] + index));
    }
    return { length, numbers };
  });
}

/** The dimensions of one sequence's activation, outermost first; those without a name are meant whole. */
function axesOf(name: string, shape: readonly number[]): (Axis | undefined)[] {
  if (/attn\.hook_(attn_scores|pattern)$/.test(name)) return ["heads", "positions", undefined];
  if (shape.length === 4) return ["positions", "heads", "channels"];
  return shape.length === 3 ? ["positions", "channels"] : ["channels"];
}

/** How many dimensions a site chooses from, counted from the outermost. */
function depthOf(
  site: Site,
  { name, axes }: { name: string; axes: (Axis | undefined)[] },
): number {
  let depth = 0;
  for (const axis of AXES) {
    if (!site[axis]) continue;
    if (!axes.includes(axis)) {
      const there = axes.filter((known) => known).join(" and ");
      throw new VitrailError(`Cannot choose ${axis} of ${name}: it has ${there} only`);
    }
    depth = Math.max(depth, axes.indexOf(axis) + 1);
  }
  return depth;
}

function indices(
  site: Site,
  { axis, length, name }: { axis?: Axis; length: number; name: string },
): readonly number[] {
  const given = axis && site[axis];
  if (!given) return Array.from({ length }, (_, i) => i);
  return given.map((index) => {
    const from = index < 0 && axis === "positions" ? length + index : index;
    if (Number.isInteger(from) && from >= 0 && from < length) return from;
    throw new VitrailError(
      `Cannot choose ${index} of the ${axis} of ${name}: it has 0 to ${length - 1}`,
    );
  });
}
