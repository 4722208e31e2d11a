/**
 * Attention maps: which places each head looks at from each place.
 *
 * @module
 */
import { type Hook, Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import { Gpt } from "../../models/gpt.ts";
import { type Activation, ActivationCache } from "../activation_cache.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";

/** One head of a model. */
export interface HeadId {
  /** Its block, from 0. */
  layer: number;
  /** Its number in the block, from 0. */
  head: number;
}

/** A head as it is named: `1.0`. */
export const headName = ({ layer, head }: HeadId): string => `${layer}.${head}`;

/** One head's map of one sequence. */
export interface HeadPlace extends HeadId {
  /** Which sequence of the batch; the first if absent. */
  sequence?: number;
}

/**
 * The pattern of every layer, (B, NH, T, T) on the host: row t says how place t divides its attention among
 * the keys, and sums to 1 (Vaswani et al. 2017, arXiv:1706.03762, equation 1). The model needs no head.
 *
 * @example
 * ```ts
 * import { attentionMaps, type Gpt, headMap } from "../../../mod.ts";
 *
 * async function firstHead(model: Gpt) {
 *   const maps = await attentionMaps(model, { ids: model.ids([1, 2, 3]) });
 *   return headMap(maps, { layer: 0, head: 0 }); // 3·3 numbers
 * }
 * ```
 */
export async function attentionMaps(model: ProbedModel, input: ProbeInput): Promise<Activation[]> {
  const { device, config: { layers } } = model;
  using scope = device.detachedScope();
  using cache = new ActivationCache(device);
  const names = Array.from({ length: layers }, (_, i) => `blocks.${i}.attn.hook_pattern`);
  const keep: Hook = (x, name) => cache.set(name, x);
  const hooks = new Map(names.map((name) => [name, keep]));
  scope.run(() => {
    const run = new Run(device, { hooks });
    if (model instanceof Gpt) model.hidden(run, input.ids, { mask: input.mask });
    else model.hidden(run, input);
  });
  return [...(await cache.read()).values()];
}

/**
 * The (T, T) numbers of one head: a view, row after row.
 *
 * @throws {VitrailError} if there is no such layer, head or sequence
 */
export function headMap(maps: readonly Activation[], place: HeadPlace): Float32Array {
  const { layer, head, sequence = 0 } = place;
  const { data, shape: [B, NH, T] } = maps[layer] ?? { shape: [0, 0, 0] };
  const inside = (index: number, count: number): boolean =>
    Number.isInteger(index) && index >= 0 && index < count;
  if (!data || !inside(head, NH) || !inside(sequence, B)) {
    throw new VitrailError(
      `Cannot show head ${head} of layer ${layer} in sequence ${sequence}: there are ${maps.length} ` +
        `layers of ${maps[0]?.shape[1] ?? 0} heads, and ${
          maps[0]?.shape[0] ?? 0
        } sequences, all from 0`,
    );
  }
  const begin = (sequence * NH + head) * T * T;
  return data.subarray(begin, begin + T * T);
}
