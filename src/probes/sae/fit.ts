/**
 * How well a sparse autoencoder describes activations, and what a model loses that has to live with its
 * description (Gao et al. 2024, arXiv:2406.04093, section 4; Bricken et al. 2023).
 *
 * @module
 */
import { type Hook, Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { Gpt } from "../../models/gpt.ts";
import type { ProbedModel } from "../probed_model.ts";
import type { SparseAutoencoder } from "./sparse_autoencoder.ts";
import type { LanguageBatch } from "../token_windows.ts";

/** How well activations are described. */
export interface SaeFit {
  /** Activations that were looked at. */
  rows: number;
  /** 1 - Σ‖x - x̂‖²/Σ‖x - x̄‖². */
  fractionOfVariance: number;
  /** Features above zero in an activation, on average. */
  l0: number;
  /** Features that were above zero in none of them. */
  dead: number;
  /** Of each feature: the part of the activations in which it is above zero. */
  frequencies: Float64Array;
  /** Of each feature: its mean where it is above zero. */
  means: Float64Array;
}

/**
 * Compares activations with what is left of them, summed in float64.
 *
 * @param batches gives tensors (n, C), which are released here
 * @param onFeatures told the features (n, F) of each batch
 */
export async function measureFit(
  sae: SparseAutoencoder,
  batches: Iterable<Tensor>,
  onFeatures: (z: Float32Array) => void = () => {},
): Promise<SaeFit> {
  const { device, config: { channels, features } } = sae;
  const [sums, squares] = [new Float64Array(channels), new Float64Array(channels)];
  const [counts, totals] = [new Float64Array(features), new Float64Array(features)];
  let [rows, error] = [0, 0];
  for (const x of batches) {
    const [was, is, found] = (await device.compute(() => {
      using scope = device.scope();
      scope.adopt(x);
      const run = new Run(device);
      const z = sae.encode(run, x);
      return [x, sae.decode(run, z), z].map((t) => scope.keep(t));
    })).map(({ data }) => data as Float32Array);
    onFeatures(found);
    rows += was.length / channels;
    was.forEach((v, i) => {
      sums[i % channels] += v;
      squares[i % channels] += v * v;
      error += (v - is[i]) ** 2;
    });
    found.forEach((v, i) => {
      if (v <= 0) return;
      counts[i % features]++;
      totals[i % features] += v;
    });
  }
  const spread = squares.reduce((sum, s, c) => sum + s - sums[c] ** 2 / rows, 0);
  return {
    rows,
    fractionOfVariance: 1 - error / spread,
    l0: counts.reduce((sum, n) => sum + n, 0) / rows,
    dead: counts.reduce((sum, n) => sum + (n === 0 ? 1 : 0), 0),
    frequencies: counts.map((n) => n / rows),
    means: totals.map((sum, f) => counts[f] === 0 ? 0 : sum / counts[f]),
  };
}

/** Puts an autoencoder's reconstruction in the place of what passes a hook point. */
export function spliced(sae: SparseAutoencoder): Hook {
  return (x) => sae.reconstruct(new Run(x.device), x);
}

/** Losses of a language model, in nats a token. */
export interface SplicedLosses {
  /** As it is. */
  clean: number;
  /** With the reconstruction in the place of the activations. */
  spliced: number;
  /** With zeros in their place. */
  zero: number;
  /** (zero - spliced)/(zero - clean): 1 if nothing is lost, 0 if zeros would do as well. */
  recovered: number;
  /** Tokens that were asked for. */
  tokens: number;
}

/**
 * What a language model's loss becomes when it has nothing but the reconstruction to go on with.
 *
 * @param batches gives what is asked of the model; its tensors are released here
 * @throws {VitrailError} if the model is a BERT that guesses no tokens
 */
export async function splicedLosses(
  model: ProbedModel,
  sae: SparseAutoencoder,
  batches: Iterable<() => LanguageBatch>,
): Promise<SplicedLosses> {
  const { device } = model;
  const { hook } = sae.config;
  const changes: (Hook | undefined)[] = [undefined, spliced(sae), (x) => device.zeros(x.shape)];
  const sums = [0, 0, 0];
  let tokens = 0;
  for (const batch of batches) {
    const found = await device.compute(() => {
      const asked = batch();
      return changes.map((change) =>
        languageLoss(model, asked, change && new Map([[hook, change]]))
      );
    });
    found.forEach(({ data: [mean, count] }, i) => sums[i] += mean * count);
    tokens += found[0].data[1];
  }
  const [clean, withSae, zero] = sums.map((sum) => sum / tokens);
  return { clean, spliced: withSae, zero, recovered: (zero - withSae) / (zero - clean), tokens };
}

/** (mean loss, tokens that count) of a pass with hooks. */
function languageLoss(
  model: ProbedModel,
  { input, targets }: LanguageBatch,
  hooks?: ReadonlyMap<string, Hook>,
): Tensor {
  const run = new Run(model.device, { hooks });
  if (model instanceof Gpt) return model.loss(run, input.ids, { targets, mask: input.mask }).result;
  const { masked, settings } = model.heads;
  if (masked) return masked.loss(run, model.hidden(run, input), { targets }).result;
  throw new VitrailError(
    `Cannot ask this BERT for tokens: its head is for ${settings.kind}; ` +
      "wanted one that was pre-trained and not fine-tuned since",
  );
}
