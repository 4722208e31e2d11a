/**
 * Attribution patching: what activation patching would find, from one run forward and one back
 * (Nanda 2023, "Attribution Patching: Activation Patching At Industrial Scale"; Syed et al. 2023,
 * arXiv:2310.10348, equation 2). The metric M of the corrupted run is taken as linear in what is patched:
 *
 *   M(patched) − M(corrupted) ≈ Σ_i (clean_i − corrupted_i) · ∂M/∂corrupted_i
 *
 * over the numbers i of the site. It is fast and good for a first look over thousands of cells; it is bad
 * where much is exchanged at once, such as the whole residual stream, behind whose norms nothing is linear.
 *
 * @module
 */
import { hookPoints } from "../../models/hook_points.ts";
import type { ActivationCache } from "../activation_cache.ts";
import { matchHooks } from "../hook_names.ts";
import { mean, type Metric } from "../metrics.ts";
import {
  normalizedEffect,
  type PatchingOptions,
  type PatchingPair,
  type PatchingResult,
} from "./patching.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";
import { runWithCache, runWithGradients } from "../run_with_hooks.ts";
import { checkShapes } from "./row_runs.ts";
import { piecesOf } from "./sites.ts";

/**
 * Estimates what `activationPatching` finds, with the same arguments: `patched` is the corrupted metric and
 * what the patch is expected to add.
 *
 * @throws {VitrailError} as `activationPatching` does
 */
export async function attributionPatching(
  model: ProbedModel,
  pair: PatchingPair,
  { metric, cells }: Pick<PatchingOptions, "metric" | "cells">,
): Promise<PatchingResult> {
  checkShapes([pair.clean, pair.corrupted]);
  const all = hookPoints(model);
  const names = matchHooks(cells.flat().map(({ at }) => at), all);
  const corrupted = await runWithGradients(model, pair.corrupted, { metric, names });
  using corruptedCache = corrupted.cache;
  using gradients = corrupted.gradients;
  const { cache, values } = await cleanRun(model, pair.clean, { metric, names });
  using cleanCache = cache;
  const [x, y, d] = [await cleanCache.read(), await corruptedCache.read(), await gradients.read()];
  const B = corrupted.values.length;
  const each = cells.map((sites) => {
    const added = new Float64Array(B);
    for (const site of sites) {
      for (const name of matchHooks(site.at, all)) {
        const { shape, data } = x.get(name)!;
        const [other, slope] = [y.get(name)!.data, d.get(name)!.data];
        const [{ length, numbers }] = piecesOf(name, { shape, sites: [site] });
        const size = data.length / B;
        for (let b = 0; b < B; b++) {
          for (const piece of numbers) {
            const begin = b * size + piece * length;
            for (let i = begin; i < begin + length; i++) {
              added[b] += (data[i] - other[i]) * slope[i];
            }
          }
        }
      }
    }
    return Array.from(added, (more, b) => corrupted.values[b] + more);
  });
  const means = { clean: mean(values), corrupted: mean(corrupted.values), metric: metric.name };
  const patched = each.map(mean);
  return {
    ...means,
    patched,
    effects: patched.map((value) => normalizedEffect(value, means)),
    each,
  };
}

/** The clean run: what is put into the other, and its metric. */
async function cleanRun(
  model: ProbedModel,
  input: ProbeInput,
  { metric, names }: { metric: Metric; names: readonly string[] },
): Promise<{ cache: ActivationCache; values: number[] }> {
  using scope = model.device.detachedScope();
  const { logits, cache } = scope.run(() => runWithCache(model, input, { names }));
  try {
    const data = await logits.read() as Float32Array;
    return { cache, values: metric.values({ data, shape: logits.shape }) };
  } catch (cause) {
    cache[Symbol.dispose]();
    throw cause;
  }
}
