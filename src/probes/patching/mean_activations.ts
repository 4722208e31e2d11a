/**
 * Means of activations over a reference set.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { ActivationCache } from "../activation_cache.ts";
import type { HookNames } from "../hook_names.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";
import { runWithCache } from "../run_with_hooks.ts";

/** What is averaged. */
export interface MeanOptions {
  /** Hook points. */
  names: HookNames;
  /** The mean of each place by itself (the default), or one for all places. */
  over?: "each place" | "all places";
  /** How many places the means are wanted for; if absent, as many as the first input has. */
  time?: number;
}

/** Sums in float64, which is what makes the mean of many numbers worth having. */
interface Sums {
  /** Length of what is averaged by itself. */
  length: number;
  numbers: Float64Array;
  counts: Float64Array;
  shape: readonly number[];
}

/**
 * Mean activations of one sequence, (1, T, …), over all sequences of a reference set; hidden places (where
 * the mask is negative) do not count. Dispose the cache.
 *
 * @throws {VitrailError} if the set is empty; if inputs differ in their number of places and each place is to
 * have a mean of its own; or if a pattern's mean over all places is asked for
 */
export async function meanActivations(
  model: ProbedModel,
  reference: readonly ProbeInput[],
  options: MeanOptions,
): Promise<ActivationCache> {
  const { names, over = "each place" } = options;
  if (reference.length === 0) {
    throw new VitrailError(
      "Cannot average over a reference set without inputs: wanted one at least",
    );
  }
  const time = options.time ?? reference[0].ids.shape[1];
  const sums = new Map<string, Sums>();
  for (const input of reference) {
    if (over === "each place" && input.ids.shape[1] !== time) {
      throw new VitrailError(
        `Cannot average each of ${time} places over an input of ${
          input.ids.shape[1]
        }: wanted as many, ` +
          'or one mean for all places (`over: "all places"`)',
      );
    }
    using cache = cacheOf(model, input, names);
    const seen = await seenPlaces(input);
    for (const [name, { data, shape }] of await cache.read()) {
      const known = sums.get(name) ?? noSums(name, { shape, over });
      sums.set(name, known);
      addTo(known, data, { seen, time: shape[1] });
    }
  }
  const { device } = model;
  using _scope = device.scope();
  using owned = new DisposableStack();
  const means = owned.use(new ActivationCache(device));
  for (const [name, { length, numbers, counts, shape }] of sums) {
    const [rows, size] = over === "all places" ? [time, length] : [1, numbers.length];
    const mean = numbers.map((sum, i) => sum / counts[Math.floor(i / length)]);
    const data = new Float32Array(rows * size);
    for (let row = 0; row < rows; row++) data.set(mean, row * size);
    const wanted = over === "all places" ? [1, time, ...shape.slice(2)] : [1, ...shape.slice(1)];
    means.set(name, device.upload(data, wanted));
  }
  owned.move(); // to the caller
  return means;
}

function cacheOf(model: ProbedModel, input: ProbeInput, names: HookNames): ActivationCache {
  using _scope = model.device.scope();
  return runWithCache(model, input, { names }).cache;
}

/** Whether each place of (B, T) counts. */
async function seenPlaces({ ids, mask }: ProbeInput): Promise<boolean[]> {
  if (!mask) return new Array(ids.size).fill(true);
  return Array.from(await mask.read(), (added) => added >= 0);
}

function noSums(
  name: string,
  { shape, over }: { shape: readonly number[]; over: MeanOptions["over"] },
): Sums {
  const whole = shape.slice(1).reduce((a, b) => a * b, 1);
  const pattern = /hook_(attn_scores|pattern)$/.test(name);
  if (pattern && over === "all places") {
    throw new VitrailError(
      `Cannot average ${name} over all places: it goes from places to places; wanted each place by itself`,
    );
  }
  // The rows of a pattern lie head by head: it is averaged as a whole.
  const length = pattern ? whole : whole / shape[1];
  const size = over === "all places" ? length : whole;
  return {
    length,
    numbers: new Float64Array(size),
    counts: new Float64Array(size / length),
    shape,
  };
}

/** Adds what counts of (B, …). */
function addTo(
  { length, numbers, counts }: Sums,
  data: Float32Array,
  { seen, time }: { seen: readonly boolean[]; time: number },
): void {
  const rows = data.length / length;
  const perPlace = rows === seen.length;
  for (let row = 0; row < rows; row++) {
    if (perPlace && !seen[row]) continue;
    const into = counts.length === 1 ? 0 : row % time;
    counts[into]++;
    for (let i = 0; i < length; i++) numbers[into * length + i] += data[row * length + i];
  }
}
