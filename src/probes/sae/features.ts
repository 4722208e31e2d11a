/**
 * What features stand for, as far as one can see: where in a text they are strongest, and which tokens
 * their directions speak for (Bricken et al. 2023, "Feature visualization").
 *
 * @module
 */
import { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import { checkOptions, count, countOrNone } from "../../formats/option_rules.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { Gpt } from "../../models/gpt.ts";
import type { SparseAutoencoder } from "./sparse_autoencoder.ts";
import type { ProbeSubject } from "../subject.ts";
import { type TokenSides, type TokenWeight, tokenWeights } from "../token_weights.ts";
import type { TokenWindows } from "../token_windows.ts";
import { activationsAt } from "./activations.ts";
import { measureFit, type SaeFit } from "./fit.ts";

/** A place where a feature is strong, with what stands around it. */
export interface FeatureExample {
  /** The tokens around it. */
  tokens: string[];
  /** The feature at each of them. */
  values: number[];
  /** Which of the tokens it is. */
  at: number;
}

/** A feature with its examples. */
export interface Feature {
  /** Its number. */
  feature: number;
  /** The part of the tokens in which it is above zero. */
  frequency: number;
  /** Its mean where it is above zero. */
  mean: number;
  /** The strongest places, the first being the strongest; one of a window at most. */
  examples: FeatureExample[];
  /** Tokens that a GPT becomes likelier to say by it; absent where the direction is none of the residual stream. */
  promoted?: TokenWeight[];
  /** And those that it becomes less likely to say. */
  suppressed?: TokenWeight[];
}

/** What is shown. */
export interface SaeFeatureOptions {
  /** Which features; `count` of those that fire, evenly from the rarest to the commonest, if absent. */
  features?: readonly number[];
  /** How many; default 10. */
  count?: number;
  /** Examples of each; default 5. */
  examples?: number;
  /** Tokens shown on either side; default 12. */
  context?: number;
  /** Windows that are looked at, by their number. */
  windows: readonly number[];
  /** Windows at once; default 8. */
  batch?: number;
  /** Told how many windows are done. */
  onProgress?: (windows: number) => void;
}

/** Where a feature peaked in a window. */
interface Peak {
  window: number;
  at: number;
  value: number;
}

/**
 * Looks at windows of a text: how well they are described, and where features are strongest.
 *
 * @throws {VitrailError} if there is no such feature, or the autoencoder belongs to another model
 */
export async function describeFeatures(
  subject: ProbeSubject,
  sae: SparseAutoencoder,
  text: TokenWindows,
  options: SaeFeatureOptions,
): Promise<{ fit: SaeFit; features: Feature[] }> {
  const { windows, batch = 8, examples = 5, context = 12, count: most = 10, onProgress } = options;
  checkOptions("Cannot describe features", { batch, examples, context, count: most }, {
    batch: count,
    examples: countOrNone,
    context: countOrNone,
    count: countOrNone,
  });
  const { device } = subject.model;
  const { features: F, channels, hook } = sae.config;
  const T = text.length;
  const missing = options.features?.find((f) => !(Number.isInteger(f) && f >= 0 && f < F));
  if (missing !== undefined) {
    throw new VitrailError(
      `Cannot show feature ${missing}: there are ${F}, numbered from 0 to ${F - 1}`,
    );
  }
  const peaks: Peak[][] = Array.from({ length: F }, () => []);
  let done = 0;
  const rowsOf = (chosen: readonly number[]): Tensor => {
    using scope = device.scope();
    const x = activationsAt(subject.model, text.plain(chosen), hook);
    if (x.shape[1] !== channels) {
      throw new VitrailError(
        `Cannot look at ${hook} with this autoencoder: it reads ${channels} numbers, and the model ` +
          `has ${x.shape[1]} there; wanted one that was trained on this model`,
      );
    }
    return scope.keep(x);
  };
  const batches = function* (): Generator<Tensor> {
    for (let from = 0; from < windows.length; from += batch) {
      yield rowsOf(windows.slice(from, from + batch));
      onProgress?.(done);
    }
  };
  const fit = await measureFit(sae, batches(), (z) => {
    for (let row = 0; row < z.length; row += T * F) {
      const window = windows[done++];
      for (let f = 0; f < F; f++) {
        let [at, value] = [0, 0];
        for (let t = 0; t < T; t++) {
          const v = z[row + t * F + f];
          if (v > value) [at, value] = [t, v];
        }
        if (value > 0) keep(peaks[f], { window, at, value }, examples);
      }
    }
  });
  const chosen = options.features ?? spread(fit.frequencies, most);
  const weights = await spokenFor(subject, sae, chosen);
  const features: Feature[] = [];
  for (const [i, f] of chosen.entries()) {
    features.push({
      feature: f,
      frequency: fit.frequencies[f],
      mean: fit.means[f],
      examples: await examplesOf(subject, sae, { text, feature: f, peaks: peaks[f], context }),
      ...weights?.[i],
    });
  }
  return { fit, features };
}

/** Keeps the highest few, the highest first. */
function keep(peaks: Peak[], peak: Peak, most: number): void {
  if (peaks.length === most && peaks[most - 1].value >= peak.value) return;
  const at = peaks.findIndex(({ value }) => value < peak.value);
  peaks.splice(at < 0 ? peaks.length : at, 0, peak);
  if (peaks.length > most) peaks.pop();
}

/** Some of the features that fire, evenly from the rarest to the commonest: no choice by looks. */
function spread(frequencies: Float64Array, count: number): number[] {
  const alive = [...frequencies.keys()].filter((f) => frequencies[f] > 0)
    .sort((a, b) => frequencies[b] - frequencies[a] || a - b);
  if (alive.length <= count) return alive;
  return Array.from(
    { length: count },
    (_, i) => alive[Math.floor((i + 0.5) * alive.length / count)],
  );
}

/** The places of the peaks with what the feature is around them. */
async function examplesOf(
  subject: ProbeSubject,
  sae: SparseAutoencoder,
  { text, feature, peaks, context }: {
    text: TokenWindows;
    feature: number;
    peaks: readonly Peak[];
    context: number;
  },
): Promise<FeatureExample[]> {
  if (peaks.length === 0) return [];
  const { device } = subject.model;
  const [{ data: z }] = await device.compute(() => {
    const input = text.plain(peaks.map(({ window }) => window));
    const rows = activationsAt(subject.model, input, sae.config.hook);
    return [sae.encode(new Run(device), rows)];
  });
  return peaks.map(({ window, at }, i) => {
    const begin = Math.max(0, at - context);
    const ids = text.ids(window).subarray(begin, at + context + 1);
    const first = i * text.length + begin;
    return {
      tokens: Array.from(ids, (id) => subject.token(id)),
      values: Array.from(ids, (_, t) => z[(first + t) * sae.config.features + feature]),
      at: at - begin,
    };
  });
}

/** Tokens listed for and against a direction. */
const LISTED = 8;

/** What the features' directions speak for, where the residual stream of a GPT is what they are directions of. */
async function spokenFor(
  subject: ProbeSubject,
  sae: SparseAutoencoder,
  features: readonly number[],
): Promise<TokenSides[] | undefined> {
  const { model, tokenizer } = subject;
  const written = /hook_(resid_\w+|attn_out|mlp_out|embed)$/.test(sae.config.hook);
  if (!(model instanceof Gpt) || !written) return undefined;
  const { channels: C } = model.config;
  const decoder = await sae.decoder.read();
  const directions = features.map((f) => Float64Array.from(decoder.subarray(f * C, (f + 1) * C)));
  return await tokenWeights(
    { model, tokenizer, token: (id) => subject.token(id) },
    directions,
    LISTED,
  );
}
