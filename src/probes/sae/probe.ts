/**
 * The whole of it: an autoencoder for one hook point of a model, trained on one part of a text, and
 * measured and shown on the other.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { SparseAutoencoder } from "./sparse_autoencoder.ts";
import type { ProbeSubject } from "../subject.ts";
import type { TokenWindows } from "../token_windows.ts";
import { activationsAt } from "./activations.ts";
import { describeFeatures, type Feature, type SaeFeatureOptions } from "./features.ts";
import { type SaeFit, type SplicedLosses, splicedLosses } from "./fit.ts";
import { RowBuffer } from "./row_buffer.ts";
import { type SaeTrainingOptions, trainSparseAutoencoder } from "./train.ts";

/** Which windows of a text are for what. */
export interface WindowSplit {
  /** To train on. */
  train: number[];
  /** To measure on and take examples from. */
  held: number[];
}

/** Windows at once. */
const BATCH = 8;
/** Batches that the pool of activations holds. */
const POOLED = 16;

/**
 * A tenth of a text's windows, at least one and at most `most`, is held out.
 *
 * @throws {VitrailError} if there is but one
 */
export function splitWindows({ count }: TokenWindows, most = 128): WindowSplit {
  if (count < 2) {
    throw new VitrailError(
      "Cannot hold a window out to measure on: the text fills one alone; give more text, or a " +
        "shorter --sequence",
    );
  }
  const held = Math.max(1, Math.min(most, Math.floor(count / 10)));
  const all = Array.from({ length: count }, (_, window) => window);
  return { held: all.slice(0, held), train: all.slice(held) };
}

/** The hook point in the middle of a model, where its blocks write: what a probe reads if nobody says. */
export function middleHook({ model, family }: ProbeSubject): string {
  const block = Math.floor((model.config.layers - 1) / 2);
  // What BERT's next block reads is normalized.
  const point = family === "bert" ? "hook_normalized_resid_post" : "hook_resid_post";
  return `blocks.${block}.${point}`;
}

/**
 * Trains an autoencoder on the activations of a model at a hook point, read as BERT was trained: with
 * some tokens masked.
 *
 * @throws {VitrailError} if there is no such hook point, or no rows pass there
 */
export async function trainOnModel(
  subject: ProbeSubject,
  text: TokenWindows,
  options: SaeTrainingOptions & { hook: string; windows: readonly number[] },
): Promise<SparseAutoencoder> {
  const { hook, windows, batch = 1024 } = options;
  const { device } = subject.model;
  let next = 0;
  const fill = () => {
    using scope = device.scope();
    const chosen = Array.from({ length: BATCH }, () => windows[next++ % windows.length]);
    return scope.keep(activationsAt(subject.model, text.batch(chosen).input, hook));
  };
  const first = fill();
  const columns = first.shape[1];
  device.pool.release(first.buffer);
  using rows = new RowBuffer(device, { rows: POOLED * batch, columns, fill, seed: options.seed });
  return await trainSparseAutoencoder(rows, options);
}

/** What is found of an autoencoder. */
export interface SaeFindings {
  /** How well it describes activations. */
  fit: SaeFit;
  /** What the model loses by it; absent if the model guesses no tokens. */
  losses?: SplicedLosses;
  /** Some of its features. */
  features: Feature[];
}

/** Measures an autoencoder on windows of a text, and shows some of its features there. */
export async function examineSae(
  subject: ProbeSubject,
  sae: SparseAutoencoder,
  options: SaeFeatureOptions & { text: TokenWindows },
): Promise<SaeFindings> {
  const { text, windows } = options;
  const { fit, features } = await describeFeatures(subject, sae, text, options);
  const guesses = !("heads" in subject.model) || subject.model.heads.masked !== undefined;
  if (!guesses) return { fit, features };
  const batches = Array.from(
    { length: Math.ceil(windows.length / BATCH) },
    (_, i) => () => text.batch(windows.slice(i * BATCH, (i + 1) * BATCH)),
  );
  const losses = await splicedLosses(subject.model, sae, batches);
  return { fit, losses, features };
}
