/**
 * Ablation: what a model's answer loses when part of it is put out of work.
 *
 * - **zero**: the part gives zeros. Simple, and often further from anything the model has seen than its
 *   absence would be.
 * - **mean**: it gives its mean over a reference set, so that it says nothing about this input
 *   (Wang et al. 2022, arXiv:2211.00593, section 2.1).
 * - **resample**: it gives what it gave for another input of the reference set, averaged over several
 *   draws (Chan et al. 2022, "Causal scrubbing"): still what the model is used to, but about something else.
 *
 * @module
 */
import { below, randomOf } from "../../data/random.ts";
import { VitrailError } from "../../errors.ts";
import { hookPoints } from "../../models/hook_points.ts";
import type { ActivationCache } from "../activation_cache.ts";
import { matchHooks } from "../hook_names.ts";
import { meanActivations } from "./mean_activations.ts";
import { mean, type Metric } from "../metrics.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";
import { type Cell, runCells, sequenceOf, stack } from "./row_runs.ts";
import type { Site } from "./sites.ts";

/** What stands in for the part that is put out of work. */
export type Substitute =
  | { by: "zero" }
  | {
    by: "mean";
    /** Inputs that are averaged over. */
    reference: readonly ProbeInput[];
    /** The mean of each place by itself, for which all must have as many places; or one for all places. */
    over?: "each place" | "all places";
  }
  | {
    by: "resample";
    /** Inputs that are drawn from, with as many places. */
    reference: readonly ProbeInput[];
    /** How many are drawn for each sequence; 8 if absent. */
    draws?: number;
    /** Seed of the draws. */
    seed?: number;
  };

/** What is ablated, and how answers are judged. */
export interface AblationOptions {
  /** One number for each sequence. */
  metric: Metric;
  /** What is put out of work: the sites of one cell together, each cell alone. */
  cells: readonly (readonly Site[])[];
  /** What stands in for it; zeros if absent. */
  substitute?: Substitute;
  /** Sequences that go through the model at once, at most; by default as many as 256 MiB hold. */
  rows?: number;
}

/** What the ablations did. */
export interface AblationResult {
  /** Name of the metric. */
  metric: string;
  /** Mean metric of the model as it is. */
  intact: number;
  /** Mean metric of each cell. */
  ablated: number[];
  /** What each ablation adds to the metric, in its unit. */
  changes: number[];
  /** Metric of each sequence, by cell. */
  each: number[][];
}

/**
 * Puts each cell's sites out of work, many cells in one batch.
 *
 * @throws {VitrailError} if a site is not there, or a reference set is empty or does not fit
 *
 * @example
 * ```ts
 * import { ablate, type Gpt, logProbability } from "../../../mod.ts";
 *
 * async function withoutEachHead(model: Gpt, ids: number[]) {
 *   const heads = Array.from({ length: model.config.heads }, (_, head) => head);
 *   const { changes } = await ablate(model, { ids: model.ids(ids) }, {
 *     metric: logProbability(5),
 *     cells: heads.map((head) => [{ at: "blocks.0.attn.hook_z", heads: [head] }]),
 *   });
 *   return changes;
 * }
 * ```
 */
export async function ablate(
  model: ProbedModel,
  input: ProbeInput,
  options: AblationOptions,
): Promise<AblationResult> {
  const { metric, cells, substitute = { by: "zero" }, rows } = options;
  using scope = model.device.detachedScope();
  let found: { inputs: number[][]; cells: number[][] };
  if (substitute.by === "resample") {
    const drawn = scope.run(() => draw(input, substitute));
    const inputs = [input, ...drawn];
    const copy = inputs.length;
    const all = cells.flatMap((sites) =>
      drawn.map((_, d): Cell => ({
        copies: [0],
        moves: sites.map((site) => ({ site, from: d + 1, to: copy })),
      }))
    );
    const { inputs: intact, cells: values } = await runCells(model, {
      inputs,
      cells: all,
      metric,
      rows,
    });
    found = { inputs: intact, cells: cells.map((_, c) => meanOfDraws(values, c, drawn.length)) };
  } else {
    const all = hookPoints(model);
    const names = cells.flat().flatMap(({ at }) => matchHooks(at, all));
    using means = substitute.by === "mean"
      ? await meanActivations(model, substitute.reference, {
        names,
        over: substitute.over,
        time: input.ids.shape[1],
      })
      : undefined;
    const from: ActivationCache | "zeros" = means ?? "zeros";
    const each = cells.map((sites): Cell => ({
      copies: [0],
      moves: sites.map((site) => ({ site, from, to: 1 })),
    }));
    found = await runCells(model, { inputs: [input], cells: each, metric, rows });
  }
  const intact = mean(found.inputs[0]);
  const ablated = found.cells.map(mean);
  return {
    metric: metric.name,
    intact,
    ablated,
    changes: ablated.map((value) => value - intact),
    each: found.cells,
  };
}

/** For each draw, one sequence of the reference set for each of the input's. */
function draw(
  input: ProbeInput,
  { reference, draws = 8, seed = 0 }: Extract<Substitute, { by: "resample" }>,
): ProbeInput[] {
  const sequences = reference.flatMap((one) =>
    Array.from({ length: one.ids.shape[0] }, (_, b) => [one, b] as const)
  );
  if (sequences.length === 0 || draws < 1) {
    throw new VitrailError(
      `Cannot draw ${draws} times from ${sequences.length} sequences: wanted one of each at least`,
    );
  }
  return Array.from({ length: draws }, (_, d) => {
    const random = randomOf(seed, d);
    return stack(Array.from({ length: input.ids.shape[0] }, () => {
      return sequenceOf(...sequences[below(random, sequences.length)]);
    }));
  });
}

/** The values of a cell, averaged over its draws, which lie side by side. */
function meanOfDraws(values: readonly number[][], cell: number, draws: number): number[] {
  const mine = values.slice(cell * draws, (cell + 1) * draws);
  return mine[0].map((_, b) => mean(mine.map((each) => each[b])));
}
