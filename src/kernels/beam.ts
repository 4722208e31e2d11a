/**
 * A step of a beam search on the device.
 *
 * @module
 */
import source from "../../shaders/beam.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { lanesOf, lanesSharing, perElement } from "./launch.ts";

const kernel = new Kernel("beam", source);

/** How often each logit is looked at: once for each bit of the threshold, and a few times besides. */
const LOOKS = 32 + 6;

/** The beams of P prompts: row j·P + p of all tensors is beam j of prompt p. */
export interface Beams {
  /** (B) f32: the sum of the scores of each. */
  scores: Tensor;
  /** (B) u32: the token that was chosen for each. */
  ids: Tensor;
  /** (B) u32: the row that each goes on from. */
  parents: Tensor;
  /** (N) u32: tokens at which a beam ends. */
  stops: Tensor;
  /** (chunk, P, best, 4) u32: the best of each step, as id, beam, score and logarithm of the probability. */
  results: Tensor;
}

/**
 * Chooses what the beams go on with.
 *
 * @param options.logits (B, …, V)
 * @param options.seen marks (B, V), as `sample` reads them
 * @param options.penalty multiplies the logarithms of ids that occurred
 * @param options.column which step of the chunk it is
 */
export function chooseBeams(
  beams: Beams,
  options: { logits: Tensor; seen: Tensor; penalty: number; column: number; stopCount: number },
): void {
  const { scores, ids, parents, stops, results } = beams;
  const { logits, seen, penalty, column, stopCount } = options;
  const { device } = logits;
  const [, prompts, best] = results.shape;
  const vocabulary = logits.shape.at(-1)!;
  const keep = Math.min(best, vocabulary);
  const found = device.tensor([ids.size, keep, 3], "u32");
  const uniforms = {
    ...{ vocabulary, prompts, beams: ids.size / prompts, keep, best, column, count: stopCount },
    ...{ penalty, capacity: 0, length: 0 },
  };
  const slots = uniforms.beams * keep;
  const shared = (rounds: number) => ({ lanes: lanesSharing(device, rounds, lanesOf(device)) });
  device.dispatch(kernel, "candidates", {
    bindings: { logits, seen, scores, found, scored: device.tensor(logits.shape) },
    uniforms,
    overrides: shared(LOOKS * vocabulary),
    workgroups: [ids.size],
  });
  device.dispatch(kernel, "choose", {
    bindings: { found, results, ids, parents, scores, stops },
    uniforms,
    overrides: shared(slots * slots + best * stopCount),
    workgroups: [prompts],
  });
}

/**
 * Moves what belongs to beams, (B, capacity) u32, to where the beams went. Each has `length` entries, less
 * its entry of `pads`; behind these goes its newest token, or with `ownRow` the number of its row.
 */
export function followBeams(
  { before, after }: { before: Tensor; after: Tensor },
  { ids, parents }: Pick<Beams, "ids" | "parents">,
  options: { length: number; pads: Tensor | undefined; ownRow: boolean },
): void {
  const { length, pads, ownRow } = options;
  const { device } = before;
  const capacity = before.shape[1];
  device.dispatch(kernel, "follow", {
    bindings: { before, after, ids, parents, pads: pads ?? device.nothing },
    uniforms: {
      ...{ capacity, length, vocabulary: 0, prompts: 0, beams: 0, keep: 0, best: 0, column: 0 },
      ...{ count: 0, penalty: 1 },
    },
    overrides: {
      own_row: ownRow,
      ragged: pads !== undefined,
      ...perElement(device, capacity).overrides,
    },
    workgroups: perElement(device, capacity, ids.size, 1).workgroups,
  });
}
