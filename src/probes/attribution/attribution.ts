/**
 * Attribution: how much each token has to do with an answer, by the gradient of a metric M with respect to
 * the tokens' embeddings e (for BERT, what speaks for a class, an answer or a tag: M is then of that head's
 * logits).
 *
 * - **gradient × input**: Σ_c e_c · ∂M/∂e_c, the first-order change of M if the embedding shrank to nothing
 *   (Shrikumar et al. 2016, arXiv:1605.01713; Denil et al. 2014, arXiv:1412.6815).
 * - **integrated gradients** (Sundararajan et al. 2017, arXiv:1703.01365, equations 1 and 3): the gradient
 *   averaged on the straight way from a baseline e' to e, times what is different:
 *
 *     IG_t = Σ_c (e_tc − e'_tc) · ∫₀¹ ∂M/∂e_tc (e' + α·(e − e')) dα
 *
 *   Their sum is M(e) − M(e') ("completeness", proposition 1) but for the error of the sum that stands for
 *   the integral, which is reported as the completeness gap.
 *
 * @module
 */
import { checkOptions, count } from "../../formats/option_rules.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { grouped, type Metric } from "../metrics.ts";
import { embeddingHook, type ProbedModel, type ProbeInput } from "../probed_model.ts";
import { type Quadrature, quadrature } from "./quadrature.ts";
import { runWithGradients } from "../run_with_hooks.ts";
import { stack } from "../patching/row_runs.ts";
import { type Baseline, baselineEmbeddings } from "./baselines.ts";

/** Points at which the gradient is taken at first, and at most, and the gap that is good enough. */
const [FIRST_STEPS, MOST_STEPS, GAP] = [64, 1024, 0.01];

/** How much each token has to do with the metric. */
export interface Attribution {
  /** Name of the metric. */
  metric: string;
  /** The metric of each sequence. */
  values: number[];
  /** A number for each token, one list a sequence: what speaks for the answer is positive. */
  scores: number[][];
}

/** How well the attributions of integrated gradients add up. */
export interface IntegratedGradients extends Attribution {
  /** The metric of each sequence's baseline. */
  baselines: number[];
  /** Points at which the gradient was taken. */
  steps: number;
  /** For each sequence |Σ scores − (M(e) − M(e'))| / |M(e) − M(e')|: 0 is complete. */
  gaps: number[];
}

/** How the integral is taken. */
export interface IntegratedGradientsOptions {
  /** One number for each sequence. */
  metric: Metric;
  /** What each sequence is compared with; zeros if absent. */
  baseline?: Baseline;
  /**
   * Points at which the gradient is taken. If absent 64, and twice as many as long as a gap is 1 % or more,
   * up to 1,024: where a metric saturates, all of the slope may lie on a short part of the way.
   */
  steps?: number;
  /** How the points are chosen; Gauss-Legendre if absent, which needs far fewer. */
  rule?: Quadrature;
  /** Sequences that go through the model at once, at most; 64 if absent. */
  rows?: number;
}

/**
 * Gradient × input of every token.
 *
 * @example
 * ```ts
 * import { type Bert, gradientTimesInput, logit } from "../../../mod.ts";
 *
 * async function whatSpeaksFor(model: Bert, ids: number[], label: number) {
 *   const { scores } = await gradientTimesInput(model, { ids: model.ids(ids) }, { metric: logit(label) });
 *   return scores[0];
 * }
 * ```
 */
export async function gradientTimesInput(
  model: ProbedModel,
  input: ProbeInput,
  { metric }: { metric: Metric },
): Promise<Attribution> {
  const { values, embeddings, gradients } = await embeddingGradients(model, input, { metric });
  const [B, T] = input.ids.shape;
  const scores = sumChannels(Float64Array.from(gradients, (d, i) => d * embeddings[i]), [B, T]);
  return { metric: metric.name, values, scores };
}

/**
 * Integrated gradients of every token. The steps go through the model as rows of batches.
 *
 * @throws {VitrailError} if there is not one step at least, or the baseline does not fit the model
 */
export async function integratedGradients(
  model: ProbedModel,
  input: ProbeInput,
  options: IntegratedGradientsOptions,
): Promise<IntegratedGradients> {
  if (options.steps !== undefined) return await integrate(model, input, options);
  for (let steps = FIRST_STEPS;; steps *= 2) {
    const found = await integrate(model, input, { ...options, steps });
    if (steps >= MOST_STEPS || found.gaps.every((gap) => gap < GAP)) return found;
  }
}

async function integrate(
  model: ProbedModel,
  input: ProbeInput,
  options: IntegratedGradientsOptions,
): Promise<IntegratedGradients> {
  const { metric, baseline = "zero", steps = FIRST_STEPS, rows = 64 } = options;
  checkOptions("Cannot integrate gradients", { rows }, { rows: count });
  const { device } = model;
  const [B, T] = input.ids.shape;
  const { points, weights } = quadrature(options.rule ?? "gauss-legendre", steps);
  const { embeddings: e, shape } = await embeddingGradients(model, input, { metric });
  const from = await baselineEmbeddings(model, input, { baseline, shape });
  // The ends of the way have no weight: they say what the attributions should add up to.
  const alphas = [0, 1, ...points];
  const sums = new Float64Array(e.length); // of the gradients, by their weights
  const ends: number[][] = [];
  const perBatch = Math.max(1, Math.floor(rows / B));
  for (let begin = 0; begin < alphas.length; begin += perBatch) {
    const here = alphas.slice(begin, begin + perBatch);
    const between = new Float32Array(here.length * e.length);
    here.forEach((alpha, i) => {
      for (let j = 0; j < e.length; j++) {
        between[i * e.length + j] = from[j] + alpha * (e[j] - from[j]);
      }
    });
    using scope = device.detachedScope();
    const found = await embeddingGradients(
      model,
      scope.run(() => stack(here.map(() => input))),
      {
        metric: grouped(metric, B),
        embeddings: scope.run(() => device.upload(between, [here.length * B, ...shape.slice(1)])),
      },
    );
    here.forEach((_, i) => {
      const step = begin + i;
      if (step < 2) return ends.push(found.values.slice(i * B, (i + 1) * B));
      const weight = weights[step - 2];
      for (let j = 0; j < e.length; j++) sums[j] += weight * found.gradients[i * e.length + j];
    });
  }
  const scores = sumChannels(sums.map((sum, j) => sum * (e[j] - from[j])), [B, T]);
  const [baselines, values] = ends;
  return {
    metric: metric.name,
    values,
    scores,
    baselines,
    steps,
    gaps: gapsOf(scores, { values, baselines }),
  };
}

/** |Σ scores − (M(e) − M(e'))| as a share of |M(e) − M(e')|. */
function gapsOf(
  scores: readonly number[][],
  { values, baselines }: { values: number[]; baselines: number[] },
): number[] {
  return scores.map((row, b) => {
    const wanted = values[b] - baselines[b];
    const sum = row.reduce((total, score) => total + score, 0);
    return Math.abs(sum - wanted) / Math.abs(wanted);
  });
}

/** The metric and its gradient with respect to the embeddings, or to others that are put in their place. */
async function embeddingGradients(
  model: ProbedModel,
  input: ProbeInput,
  { metric, embeddings }: { metric: Metric; embeddings?: Tensor },
): Promise<{
  values: number[];
  embeddings: Float32Array;
  gradients: Float32Array;
  shape: readonly number[];
}> {
  const name = embeddingHook(model);
  const found = await runWithGradients(model, input, {
    metric,
    names: name,
    hooks: embeddings ? [[name, () => embeddings]] : [],
  });
  using cache = found.cache;
  using gradients = found.gradients;
  const x = cache.get(name);
  const [numbers, slopes] = await model.device.read(x, gradients.get(name)) as Float32Array[];
  return { values: found.values, embeddings: numbers, gradients: slopes, shape: x.shape };
}

/** (B, T, C) numbers to a sum for each token, in float64. */
function sumChannels(numbers: Float64Array, [B, T]: readonly number[]): number[][] {
  const C = numbers.length / (B * T);
  return Array.from({ length: B }, (_, b) =>
    Array.from({ length: T }, (_, t) => {
      const begin = (b * T + t) * C;
      return numbers.subarray(begin, begin + C).reduce((sum, x) => sum + x, 0);
    }));
}
