/**
 * Baselines: what a text is compared with when its tokens are made responsible for an answer.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Parameter } from "../../autograd/parameter.ts";
import type { ActivationCache } from "../activation_cache.ts";
import { embeddingHook, type ProbedModel, type ProbeInput } from "../probed_model.ts";
import { runWithCache } from "../run_with_hooks.ts";

/**
 * What stands for "no token": embeddings of `zero`, their `mean` over the vocabulary, or the embedding of
 * one token, such as BERT's `[PAD]` or `[MASK]`. At places that are `kept`, such as those of `[CLS]` and
 * `[SEP]`, the text's own embedding stays, and nothing is attributed to them.
 */
export type Baseline = "zero" | "mean" | number | {
  /** What stands elsewhere. */
  token: "zero" | "mean" | number;
  /** Places that stay as they are; for each sequence the same. */
  kept: readonly number[];
};

/**
 * The embeddings (B, T, C) of a baseline.
 *
 * @throws {VitrailError} if a token or a place is not there, or a model in few bits is asked for its mean
 */
export async function baselineEmbeddings(
  model: ProbedModel,
  input: ProbeInput,
  { baseline, shape }: { baseline: Baseline; shape: readonly number[] },
): Promise<Float32Array> {
  const { token, kept } = typeof baseline === "object" ? baseline : { token: baseline, kept: [] };
  const [B, T, C] = shape;
  const out = new Float32Array(B * T * C);
  if (token === "mean") {
    const mean = await meanEmbedding(model);
    for (let row = 0; row < B * T; row++) out.set(mean, row * C);
  } else if (token !== "zero") {
    using scope = model.device.detachedScope();
    const ids = scope.run(() => model.ids(new Uint32Array(B * T).fill(token), [B, T]));
    out.set(await embeddings(model, { ...input, ids }));
  }
  if (kept.length > 0) {
    const own = await embeddings(model, input);
    for (const place of kept) {
      if (!Number.isInteger(place) || place < 0 || place >= T) {
        throw new VitrailError(`Cannot keep place ${place}: the input has places 0 to ${T - 1}`);
      }
      for (let b = 0; b < B; b++) {
        const begin = (b * T + place) * C;
        out.set(own.subarray(begin, begin + C), begin);
      }
    }
  }
  return out;
}

async function embeddings(model: ProbedModel, input: ProbeInput): Promise<Float32Array> {
  using cache = cacheOf(model, input);
  return await cache.get(embeddingHook(model)).read() as Float32Array;
}

function cacheOf(model: ProbedModel, input: ProbeInput): ActivationCache {
  using _scope = model.device.scope();
  return runWithCache(model, input, { names: embeddingHook(model) }).cache;
}

/** The mean row of the token table, in float64. */
async function meanEmbedding(model: ProbedModel): Promise<Float32Array> {
  const table = model.parameters.find((p: Parameter) =>
    /(wte|word_embeddings)\.weight$/.test(p.name)
  );
  if (!table) {
    throw new VitrailError(
      "Cannot average this model's token embeddings: they are kept in few bits; wanted the model as it " +
        "was before, or another baseline",
    );
  }
  const [V, C] = table.shape;
  const rows = await table.read() as Float32Array;
  const sums = new Float64Array(C);
  rows.forEach((value, i) => sums[i % C] += value);
  return Float32Array.from(sums, (sum) => sum / V);
}
