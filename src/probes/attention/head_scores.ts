/**
 * What kind of head each attention head is, from its patterns alone: how spread its attention is, how far it
 * looks, and how much of it goes where a head of a known kind would look.
 *
 * - **entropy** and **distance**: means over the places that look of −Σⱼ pₜⱼ·ln pₜⱼ and Σⱼ pₜⱼ·|t − j|
 *   (Vig and Belinkov 2019, arXiv:1906.04284, sections 4.3 and 4.4).
 * - **previous token**: attention to the place before, p₍t,t−1₎.
 * - **duplicate token**: attention to other places with the same token, Σ p₍t,j₎ over xⱼ = xₜ.
 * - **induction**: attention to the places behind those, Σ p₍t,j₎ over xⱼ₋₁ = xₜ: where the token would be found
 *   that came next last time (Olsson et al. 2022, arXiv:2209.11895, "prefix matching").
 *
 * The masks are those of TransformerLens's `head_detector`. It divides by all places; here the last three
 * are means over the places that have something to find, so that a perfect head scores 1 on any text. On
 * repeated sequences of distinct tokens the induction score is the mean of the stripe `seq_len - 1` below
 * the diagonal that its demos take, without the one place in it that has seen nothing yet.
 *
 * High scores say what a head does on this input, not what the model uses it for: see `ablate`.
 *
 * @module
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { Gpt } from "../../models/gpt.ts";
import type { Activation } from "../activation_cache.ts";
import type { HeadId } from "./maps.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";
import { runWithCache } from "../run_with_hooks.ts";

/** What the pattern of a head looks like. */
export interface PatternScores {
  /** Mean entropy of a place's attention, in nats: 0 where it looks at one place, ln T where at all. */
  entropy: number;
  /** Mean distance to where it looks, in tokens. */
  distance: number;
  /** Attention to the place before. */
  previousToken: number;
  /** Attention to other places with the same token; NaN if no token comes twice. */
  duplicateToken: number;
  /** Attention to what followed the same token elsewhere; NaN if no token comes twice. */
  induction: number;
}

/** The scores of one head of a model. */
export interface HeadScores extends PatternScores, HeadId {}

/** The text that a pattern belongs to. */
export interface ScoredText {
  /** Token ids (B, T), row by row. */
  ids: ArrayLike<number>;
  /** Whether places look back only. */
  causal: boolean;
  /** 1 for each place (B, T) that is text and 0 for padding; all are text if absent. */
  mask?: ArrayLike<number>;
}

/** Where a head of some kind would look: whether the place at `j` is meant by that at `t`. */
type Target = (x: { ids: ArrayLike<number>; row: number; t: number; j: number }) => boolean;

const TARGETS: Record<"previousToken" | "duplicateToken" | "induction", Target> = {
  previousToken: ({ t, j }) => j === t - 1,
  duplicateToken: ({ ids, row, t, j }) => j !== t && ids[row + j] === ids[row + t],
  induction: ({ ids, row, t, j }) => j > 0 && j - 1 !== t && ids[row + j - 1] === ids[row + t],
};

/**
 * Scores each head of one layer.
 *
 * @param pattern attention (B, NH, T, T), a row for each place that looks
 *
 * @example
 * ```ts
 * import { scorePattern } from "../../../mod.ts";
 *
 * // One head, which looks at itself first and then at the place before.
 * const pattern = { data: Float32Array.of(1, 0, 0, 1, 0, 0, 0, 1, 0), shape: [1, 1, 3, 3] };
 * const [head] = scorePattern(pattern, { ids: [5, 7, 5], causal: true });
 * console.log(head.previousToken, head.induction, head.entropy); // 1 1 0
 * ```
 */
export function scorePattern({ data, shape }: Activation, text: ScoredText): PatternScores[] {
  const [B, heads, T] = shape;
  const { ids, causal, mask } = text;
  const isText = (b: number, t: number): boolean => !mask || mask[b * T + t] !== 0;
  const sums = Array.from({ length: heads }, () => ({
    entropy: new Mean(),
    distance: new Mean(),
    previousToken: new Mean(),
    duplicateToken: new Mean(),
    induction: new Mean(),
  }));
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      if (!isText(b, t)) continue;
      const places = Array.from({ length: causal ? t + 1 : T }, (_, j) => j)
        .filter((j) => isText(b, j));
      const meant = Object.entries(TARGETS).map(([kind, target]) => {
        const found = places.filter((j) => target({ ids, row: b * T, t, j }));
        return [kind as keyof typeof TARGETS, found] as const;
      });
      for (let h = 0; h < heads; h++) {
        const row = ((b * heads + h) * T + t) * T;
        const p = (j: number): number => data[row + j];
        const sum = sums[h];
        sum.entropy.add(places.reduce((s, j) => p(j) > 0 ? s - p(j) * Math.log(p(j)) : s, 0));
        sum.distance.add(places.reduce((s, j) => s + p(j) * Math.abs(t - j), 0));
        for (const [kind, found] of meant) {
          if (found.length > 0) sum[kind].add(found.reduce((s, j) => s + p(j), 0));
        }
      }
    }
  }
  return sums.map((sum) => ({
    entropy: sum.entropy.value,
    distance: sum.distance.value,
    previousToken: sum.previousToken.value,
    duplicateToken: sum.duplicateToken.value,
    induction: sum.induction.value,
  }));
}

/**
 * Scores every head of a model on an input, layer by layer.
 *
 * For the induction score give it repeated random tokens, such as `repeatedBatch` makes: in a usual text
 * what followed last time is often what is likely anyway.
 *
 * @throws {VitrailError} if the model has no head to compute logits with
 *
 * @example
 * ```ts
 * import { type Gpt, headScores, repeatedBatch } from "../../../mod.ts";
 *
 * async function bestInductionHead(model: Gpt) {
 *   const { inputs, shape } = repeatedBatch({
 *     batch: 16,
 *     sequence: 64,
 *     period: 24,
 *     vocabularySize: model.config.vocabularySize,
 *   });
 *   const scores = await headScores(model, { ids: model.ids(inputs, shape) });
 *   return scores.sort((a, b) => b.induction - a.induction)[0];
 * }
 * ```
 */
export async function headScores(model: ProbedModel, input: ProbeInput): Promise<HeadScores[]> {
  const { device } = model;
  using scope = device.detachedScope();
  const { cache } = scope.run(() =>
    runWithCache(model, input, { names: "blocks.*.attn.hook_pattern" })
  );
  using _cache = cache;
  const patterns = cache.names.map((name) => cache.get(name));
  const given: Tensor[] = [input.ids, ...input.mask ? [input.mask] : []];
  const [ids, ...rest] = await device.read(...given, ...patterns);
  // What is added to scores: nothing at text, -Infinity at padding.
  const added = input.mask ? rest.shift() as Float32Array : undefined;
  const mask = added?.map((value) => value > -1e38 ? 1 : 0);
  const causal = model instanceof Gpt;
  return patterns.flatMap(({ shape }, layer) =>
    scorePattern({ data: rest[layer] as Float32Array, shape }, { ids, causal, mask })
      .map((scores, head) => ({ layer, head, ...scores }))
  );
}

/** A mean that grows. */
class Mean {
  #sum = 0;
  #count = 0;

  add(value: number): void {
    this.#sum += value;
    this.#count++;
  }

  get value(): number {
    return this.#count > 0 ? this.#sum / this.#count : NaN;
  }
}
