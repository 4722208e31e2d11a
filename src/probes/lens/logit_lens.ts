/**
 * The logit lens (nostalgebraist 2020, "interpreting GPT: the logit lens"): what the model would guess if it
 * stopped after each layer.
 *
 *   logits(l) = unembed(norm_final(x(l))),   x(l) the residual stream after layer l
 *
 * With a tuned lens (Belrose et al. 2023, arXiv:2303.08112, section 3) x(l) is first translated into the
 * basis of the last layer: x(l) + A(l)·x(l) + b(l).
 *
 * @module
 */
import { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import { checkOptions, countOrAll } from "../../formats/option_rules.ts";
import { Gpt } from "../../models/gpt.ts";
import type { Activation } from "../activation_cache.ts";
import { softmax } from "../metrics.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";
import { readOut, residualStream, streamPoints } from "./residual_stream.ts";
import type { TunedLens } from "./tuned_lens.ts";

/** What the lens shows of one layer at one place. */
export interface LensCell {
  /** The likeliest tokens, the first first. */
  top: { id: number; probability: number }[];
  /** D(final‖this) in nats: how far this is from what the model says in the end. */
  klToFinal: number;
  /** The token that was to be guessed, if there was one. */
  target?: {
    /** Its id. */
    id: number;
    /** 1 if it is the likeliest; one more for each that is likelier. */
    rank: number;
    /** Its probability. */
    probability: number;
  };
}

/** One layer, over all places. */
export interface LensRow {
  /** The hook point. */
  name: string;
  /** For tables. */
  label: string;
  /** A cell for each place. */
  cells: LensCell[];
}

/** How the lens looks. */
export interface LensOptions {
  /**
   * The token to guess at each place (T), -100 for none. Absent: for a GPT the next token of the
   * sequence, for a BERT the token itself, which says little unless the place is masked.
   */
  targets?: ArrayLike<number>;
  /** Likeliest tokens to name; default 5. */
  top?: number;
  /** Translators to look through; none is the plain lens. */
  tuned?: TunedLens;
}

/**
 * The lens at every layer and place of one sequence, the layer that the model itself reads last.
 *
 * @throws {VitrailError} if the input has several sequences, the model guesses no tokens, or targets are of
 * another length
 *
 * @example
 * ```ts
 * import { type Gpt, logitLens } from "../../../mod.ts";
 *
 * async function firstGuesses(model: Gpt) {
 *   const rows = await logitLens(model, { ids: model.ids([1, 2, 3]) });
 *   return rows.map(({ label, cells }) => [label, cells[0].top[0].id]);
 * }
 * ```
 */
export async function logitLens(
  model: ProbedModel,
  input: ProbeInput,
  options: LensOptions = {},
): Promise<LensRow[]> {
  const { device } = model;
  const { top = 5 } = options;
  checkOptions("Cannot look through the lens", { top }, { top: countOrAll });
  const [B, T] = input.ids.shape;
  if (B !== 1) {
    throw new VitrailError(`Cannot look at ${B} sequences through the lens at once: wanted one`);
  }
  using scope = device.detachedScope();
  const targets = options.targets ?? await usualTargets(model, input);
  if (targets.length !== T) {
    throw new VitrailError(
      `Cannot judge ${T} places by ${targets.length} targets: wanted one for each place`,
    );
  }
  const stream = scope.run(() => residualStream(model, input));
  const points = streamPoints(model);
  const rows: LensRow[] = [];
  let final: Float64Array[] = [];
  // From the last layer down: it is what the others are compared with.
  for (let l = points.length - 1; l >= 0; l--) {
    const [{ data }] = await device.compute(() => {
      const run = new Run(device);
      return [readOut(run, model, options.tuned?.translate(run, stream[l], l) ?? stream[l])];
    }) as Activation[];
    const V = data.length / T;
    const places = Array.from({ length: T }, (_, t) => softmax(data.subarray(t * V, (t + 1) * V)));
    if (l === points.length - 1) final = places;
    const cells = places.map((q, t) => cell(q, final[t], targets[t], top));
    rows.unshift({ ...points[l], cells });
  }
  return rows;
}

function cell(q: Float64Array, final: Float64Array, target: number, top: number): LensCell {
  const klToFinal = final.reduce((sum, p, j) => p > 0 ? sum + p * Math.log(p / q[j]) : sum, 0);
  const found: LensCell = { top: likeliest(q, top), klToFinal };
  if (target >= 0) {
    const probability = q[target];
    const rank = 1 + q.reduce((count, p) => p > probability ? count + 1 : count, 0);
    found.target = { id: target, rank, probability };
  }
  return found;
}

/** The `count` largest, largest first; of equals the lower id. */
function likeliest(p: Float64Array, count: number): LensCell["top"] {
  const best: number[] = [];
  p.forEach((probability, id) => {
    if (best.length === count && probability <= p[best[count - 1]]) return;
    let at = best.length;
    while (at > 0 && p[best[at - 1]] < probability) at--;
    best.splice(at, 0, id);
    if (best.length > count) best.pop();
  });
  return best.map((id) => ({ id, probability: p[id] }));
}

async function usualTargets(model: ProbedModel, { ids }: ProbeInput): Promise<number[]> {
  const own = Array.from(await ids.read());
  return model instanceof Gpt ? [...own.slice(1), -100] : own;
}
