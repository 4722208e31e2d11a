/**
 * Activations as features: one row for each word or text that a probe is asked about.
 *
 * @module
 */
import { checkOptions, count } from "../../formats/option_rules.ts";
import { type Hook, Run } from "../../autograd/run.ts";
import { padSequences, type Sequence } from "../../data/length_batches.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { gatherRows } from "../../kernels/gather_rows.ts";
import { matmul } from "../../kernels/matmul.ts";
import { Gpt } from "../../models/gpt.ts";
import { hookPoints } from "../../models/hook_points.ts";
import { type HookNames, matchHooks } from "../hook_names.ts";
import type { ProbedModel } from "../probed_model.ts";

/** A sequence and the places in it that a probe is asked about. */
export interface PlacedSequence extends Sequence {
  /** Places, ascending. */
  places: Uint32Array;
}

/** How features are collected. */
export interface FeatureOptions {
  /** Hook points whose activations are (B, T, …). */
  points: HookNames;
  /** A row for each place, or for each sequence the mean over its places; default `places`. */
  pooling?: "places" | "mean";
  /** Sequences at once; default 32. */
  batch?: number;
  /** Told how many sequences are done. */
  onProgress?: (done: number) => void;
}

/** The residual stream before the first block and behind each: where a model's layers can be compared. */
export function residualPoints(model: ProbedModel): string[] {
  const ending = model instanceof Gpt ? "hook_resid_post" : "hook_normalized_resid_post";
  const after = Array.from({ length: model.config.layers }, (_, i) => `blocks.${i}.${ending}`);
  return ["blocks.0.hook_resid_pre", ...after];
}

/**
 * Runs a model over sequences and keeps rows of its activations on the device, (N, C) for each hook
 * point: sequences in their order, and in each its places. They outlive scopes: release them.
 *
 * Sequences of one length beside each other cost least, as batches are padded.
 *
 * @throws {VitrailError} if a name meets no hook point
 */
export function collectFeatures(
  model: ProbedModel,
  sequences: readonly PlacedSequence[],
  options: FeatureOptions,
): Map<string, Tensor> {
  const { pooling = "places", batch = 32, onProgress } = options;
  checkOptions("Cannot collect features", { batch }, { batch: count });
  const { device } = model;
  const points = matchHooks(options.points, hookPoints(model));
  const rowsOf = ({ places }: PlacedSequence): number => pooling === "mean" ? 1 : places.length;
  const rows = sequences.reduce((sum, sequence) => sum + rowsOf(sequence), 0);
  const features = new Map<string, Tensor>();
  using owned = new DisposableStack();
  owned.defer(() => features.forEach(({ buffer }) => device.pool.release(buffer)));
  let begin = 0;
  for (let from = 0; from < sequences.length; from += batch) {
    using _scope = device.scope();
    const chosen = sequences.slice(from, from + batch);
    const { shape, ids, segments, mask } = padSequences(chosen, {
      padId: model instanceof Gpt ? 0 : model.config.padId,
      contextLength: model.config.contextLength,
    });
    const take = pooling === "mean" ? means(model, chosen, shape) : places(model, chosen, shape);
    const keep: Hook = (x, name) => {
      const found = take(x);
      const columns = found.shape[1];
      let all = features.get(name);
      if (!all) {
        features.set(
          name,
          all = device.pool.persistent(() => device.tensor([rows, columns])),
        );
      }
      const target = 4 * begin * columns;
      device.commands.copy(found.buffer, all.buffer, found.byteLength, { target });
    };
    const run = new Run(device, { hooks: new Map(points.map((point) => [point, keep])) });
    const given = model.ids(ids, shape);
    if (model instanceof Gpt) {
      model.hidden(run, given); // padding stands behind, where a causal model does not look
    } else {
      model.hidden(run, {
        ids: given,
        segments: device.upload(Uint32Array.from(segments), shape),
        mask: mask && device.upload(Float32Array.from(mask), shape),
      });
    }
    begin += chosen.reduce((sum, sequence) => sum + rowsOf(sequence), 0);
    device.commands.submit();
    onProgress?.(from + chosen.length);
  }
  owned.move(); // to the caller
  return features;
}

/** Picks rows of (B, T, …). */
function places(
  { device }: ProbedModel,
  sequences: readonly PlacedSequence[],
  [_, T]: readonly number[],
): (x: Tensor) => Tensor {
  const rows = sequences.flatMap((sequence, b) => Array.from(sequence.places, (t) => b * T + t));
  const numbers = device.upload(Uint32Array.from(rows));
  return (x) => gatherRows(x, numbers, x.size / (sequences.length * T));
}

/** Means over rows of (B, T, …): a product with (B, B·T), in which each row has its sequence's places. */
function means(
  { device }: ProbedModel,
  sequences: readonly PlacedSequence[],
  [B, T]: readonly number[],
): (x: Tensor) => Tensor {
  const shares = new Float32Array(B * B * T);
  sequences.forEach((sequence, b) => {
    for (const t of sequence.places) shares[b * B * T + b * T + t] = 1 / sequence.places.length;
  });
  const left = device.upload(shares, [B, B * T]);
  return (x) => matmul(left, x.reshape([B * T, x.size / (B * T)]));
}
