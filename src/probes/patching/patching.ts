/**
 * Activation patching: which activations of a clean run, put into a corrupted one, bring its answer back
 * (Vig et al. 2020, arXiv:2004.12265, "causal mediation"; Meng et al. 2022, arXiv:2202.05262, section 2.1,
 * "causal tracing"; Heimersheim and Nanda 2024, arXiv:2404.15255, on how to read it).
 *
 *   effect = (M(patched) − M(corrupted)) / (M(clean) − M(corrupted))
 *
 * 0 where a patch changes nothing, 1 where it brings the clean answer back; below 0 it makes matters worse.
 * M is the mean of the metric over the pairs.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { mean, type Metric } from "../metrics.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";
import { type Cell, runCells } from "./row_runs.ts";
import type { Site } from "./sites.ts";
import type { Sweep } from "./sweeps.ts";

/** Two inputs of the same shape (B, T), token by token of one meaning but for what is asked about. */
export interface PatchingPair {
  /** What the model answers well. */
  clean: ProbeInput;
  /** The same with what matters exchanged. */
  corrupted: ProbeInput;
}

/** What is patched, and how answers are judged. */
export interface PatchingOptions {
  /** One number for each sequence. */
  metric: Metric;
  /** What is put from the clean into the corrupted run: the sites of one cell together, each cell alone. */
  cells: readonly (readonly Site[])[];
  /** Sequences that go through the model at once, at most; by default as many as 256 MiB hold. */
  rows?: number;
}

/** What the patches did. */
export interface PatchingResult {
  /** Name of the metric. */
  metric: string;
  /** Mean metric of the clean run. */
  clean: number;
  /** Mean metric of the corrupted run. */
  corrupted: number;
  /** Mean metric of each cell. */
  patched: number[];
  /** Share of the way from corrupted to clean that each cell goes. */
  effects: number[];
  /** Metric of each pair, by cell. */
  each: number[][];
}

/** A sweep with the effect of each of its cells. */
export interface PatchingMap {
  /** Name of the metric. */
  metric: string;
  /** Mean metric of the clean run. */
  clean: number;
  /** Mean metric of the corrupted run. */
  corrupted: number;
  /** What is patched, for a heading. */
  title: string;
  /** What the rows are, and the name of each. */
  rows: Sweep["rows"];
  /** What the columns are, and the name of each. */
  columns: Sweep["columns"];
  /** Effects, one list a row. */
  effects: number[][];
}

/**
 * Patches each cell's sites from the clean into the corrupted run, many cells in one batch.
 * To patch the other way round, exchange the inputs.
 *
 * @throws {VitrailError} if the inputs differ in shape, a site is not there, or the metric is the same for
 * both inputs, so that there is nothing to bring back
 *
 * @example
 * ```ts
 * import { activationPatching, type Gpt, logitDifference } from "../../../mod.ts";
 *
 * async function whoMatters(model: Gpt, clean: number[], corrupted: number[]) {
 *   const pair = { clean: { ids: model.ids(clean) }, corrupted: { ids: model.ids(corrupted) } };
 *   const { effects } = await activationPatching(model, pair, {
 *     metric: logitDifference({ right: 5, wrong: 6 }),
 *     cells: [[{ at: "blocks.0.attn.hook_z", heads: [1] }], [{ at: "blocks.1.hook_mlp_out", positions: [-1] }]],
 *   });
 *   return effects;
 * }
 * ```
 */
export async function activationPatching(
  model: ProbedModel,
  pair: PatchingPair,
  options: PatchingOptions,
): Promise<PatchingResult> {
  const { metric, rows } = options;
  const [clean, corrupted, copy] = [0, 1, 2];
  const cells = options.cells.map((sites): Cell => ({
    copies: [corrupted],
    moves: sites.map((site) => ({ site, from: clean, to: copy })),
  }));
  const inputs = [pair.clean, pair.corrupted];
  const found = await runCells(model, { inputs, cells, metric, rows });
  const means = { clean: mean(found.inputs[clean]), corrupted: mean(found.inputs[corrupted]) };
  const patched = found.cells.map(mean);
  return {
    metric: metric.name,
    ...means,
    patched,
    effects: patched.map((value) => normalizedEffect(value, { ...means, metric: metric.name })),
    each: found.cells,
  };
}

/**
 * Patches every cell of a sweep, such as each layer at each place.
 *
 * @throws {VitrailError} as `activationPatching` does
 */
export async function patchingSweep(
  model: ProbedModel,
  pair: PatchingPair,
  options: Omit<PatchingOptions, "cells"> & { sweep: Sweep },
): Promise<PatchingMap> {
  const { sweep } = options;
  return patchingMap(
    sweep,
    await activationPatching(model, pair, { ...options, cells: sweep.cells }),
  );
}

/** The effects of a sweep's cells, in its rows and columns. */
export function patchingMap(
  { title, rows, columns }: Sweep,
  { metric, clean, corrupted, effects }: PatchingResult,
): PatchingMap {
  const wide = columns.names.length;
  return {
    title,
    metric,
    clean,
    corrupted,
    rows,
    columns,
    effects: rows.names.map((_, r) => effects.slice(r * wide, (r + 1) * wide)),
  };
}

/**
 * The share of the way from corrupted to clean.
 *
 * @throws {VitrailError} if they are the same
 */
export function normalizedEffect(
  value: number,
  { clean, corrupted, metric }: { clean: number; corrupted: number; metric: string },
): number {
  // Nothing is 0, and not -0.
  if (value === corrupted && clean !== corrupted) return 0;
  if (clean !== corrupted) return (value - corrupted) / (clean - corrupted);
  throw new VitrailError(
    `Cannot tell what a patch brings back: the ${metric} is ${clean} in the clean run and in the ` +
      "corrupted one; wanted inputs that are answered differently",
  );
}
