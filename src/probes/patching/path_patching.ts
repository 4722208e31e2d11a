/**
 * Path patching: how much of a head's influence goes along one path, from the head to those that listen to
 * it or straight to the logits (Wang et al. 2022, arXiv:2211.00593, section 3.1 and appendix B;
 * Goldowsky-Dill et al. 2023, arXiv:2304.05969, section 3).
 *
 * Each cell takes two runs of the clean input:
 *
 *   path:    the sender as in the corrupted run, all heads' outputs else as in the clean one. What
 *            the receivers read differs by what the sender wrote and nothing else.
 *   result:  the receivers get what they read on the path; all else is computed.
 *
 * Towards the logits, the path itself is the result. MLPs are computed anew on the path, as in Wang et al.,
 * and so count as part of it, unless they are frozen too.
 *
 * @module
 */
import { hookPoints } from "../../models/hook_points.ts";
import { mean, type Metric } from "../metrics.ts";
import type { PatchingPair, PatchingResult } from "./patching.ts";
import { normalizedEffect } from "./patching.ts";
import type { ProbedModel } from "../probed_model.ts";
import { type Cell, type Move, runCells } from "./row_runs.ts";
import type { Site } from "./sites.ts";

/** Paths, and how answers are judged. */
export interface PathPatchingOptions {
  /** One number for each sequence. */
  metric: Metric;
  /** Where the paths begin: one cell for each, such as `[{ at: "blocks.0.attn.hook_z", heads: [1] }]`. */
  senders: readonly (readonly Site[])[];
  /** Where all of them end: what heads read, such as `[{ at: "blocks.1.attn.hook_q", heads: [0] }]`. */
  receivers: "logits" | readonly Site[];
  /** Hook points that keep their clean values on the path; by default the outputs of all heads. */
  frozen?: readonly Site[];
  /** Sequences that go through the model at once, at most; by default as many as 256 MiB hold. */
  rows?: number;
}

/** What each block adds to the residual stream, for `frozen`, so that only direct paths are left. */
export const directOnly: readonly Site[] = [
  { at: "blocks.*.attn.hook_z" },
  { at: "blocks.*.hook_mlp_out" },
];

/**
 * The effect of each sender along the path to the receivers. As the clean run is what is disturbed, an
 * effect of 0 means that the path carries nothing, and 1 that it alone spoils the answer as much as the
 * corrupted input does.
 *
 * @throws {VitrailError} if the inputs differ in shape, a site is not there, or the metric is the same for
 * both inputs
 */
export async function pathPatching(
  model: ProbedModel,
  pair: PatchingPair,
  options: PathPatchingOptions,
): Promise<PatchingResult> {
  const { metric, senders, receivers, rows } = options;
  const frozen = options.frozen ?? [{ at: "blocks.*.attn.hook_z" }];
  const [clean, corrupted, path, result] = [0, 1, 2, 3];
  const cells = senders.map((sender): Cell => {
    const moves: Move[] = [
      ...frozen.map((site) => ({ site, from: clean, to: path })),
      ...sender.map((site) => ({ site, from: corrupted, to: path })),
    ];
    if (receivers === "logits") return { copies: [clean], moves };
    return {
      copies: [clean, clean],
      moves: [...moves, ...receivers.map((site) => ({ site, from: path, to: result }))],
    };
  });
  const inputs = [pair.clean, pair.corrupted];
  const found = await runCells(model, { inputs, cells, metric, rows });
  const means = { clean: mean(found.inputs[clean]), corrupted: mean(found.inputs[corrupted]) };
  const patched = found.cells.map(mean);
  const turned = { clean: means.corrupted, corrupted: means.clean, metric: metric.name };
  return {
    metric: metric.name,
    ...means,
    patched,
    effects: patched.map((value) => normalizedEffect(value, turned)),
    each: found.cells,
  };
}

/** All that heads read in the layers behind one: every query, key and value. */
export function readersBehind(model: ProbedModel, layer: number): Site[] {
  return hookPoints(model)
    .filter((name) => {
      const found = /^blocks\.(\d+)\.attn\.hook_[qkv]$/.exec(name);
      return found && Number(found[1]) > layer;
    })
    .map((at) => ({ at }));
}
