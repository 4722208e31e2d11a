/**
 * Linear probes at every layer of a model, each beside its control task.
 *
 * @module
 */
import { checkOptions, notNegative, seedRule } from "../../formats/option_rules.ts";
import { controlLabels } from "../../data/tags/control_tags.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { matmul } from "../../kernels/matmul.ts";
import { gatherRows } from "../../kernels/gather_rows.ts";
import { hookPoints } from "../../models/hook_points.ts";
import { type HookNames, matchHooks } from "../hook_names.ts";
import { collectFeatures, type PlacedSequence, residualPoints } from "./features.ts";
import { predictLabels, type ProbeTraining, trainLinearProbes } from "./linear_probe.ts";
import type { ProbedModel } from "../probed_model.ts";

/** Examples of one side: rows of features in the order of sequences and of places in them. */
export interface ProbeExamples {
  /** What the model reads. */
  sequences: readonly PlacedSequence[];
  /** The number of each example's label. */
  labels: Int32Array;
  /** What each example is, by which the control task gives labels: a word in small letters. */
  types: readonly string[];
}

/** What is probed for. */
export interface ProbeQuestion {
  /** What probes are trained on. */
  train: ProbeExamples;
  /** What they are judged by. */
  heldOut: ProbeExamples;
  /** Number of labels. */
  classes: number;
}

/** How it is probed. */
export interface ProbeLayersOptions extends ProbeTraining {
  /** Hook points with activations (B, T, …); by default the residual stream at every layer. */
  points?: HookNames;
  /** As `collectFeatures` has it. */
  pooling?: "places" | "mean";
  /** Told what goes on. */
  onPhase?: (phase: string) => void;
  /** Bytes of features that the device holds at once; the model runs again for the rest. */
  featureBytes?: number;
}

/** What is found at one hook point. */
export interface LayerResult {
  /** Its name. */
  point: string;
  /** Part of the labels held out that are predicted right. */
  accuracy: number;
  /** The same for the labels of the control task. */
  control: number;
  /** accuracy − control (Hewitt & Liang 2019, section 2.1). */
  selectivity: number;
  /** Examples held out by their label (rows) and the one that was predicted (columns). */
  confusion: number[][];
}

/** Bytes of features at once, unless somebody says otherwise. */
const FEATURE_BYTES = 512 * 2 ** 20;

/**
 * Trains a probe for the labels and one for the control task at each hook point. Features are shifted and
 * scaled to a mean of 0 and a deviation of 1 in each channel, which no linear probe would notice in the
 * end but by how fast it learns.
 *
 * @throws {VitrailError} if a name meets no hook point
 */
export async function probeLayers(
  model: ProbedModel,
  question: ProbeQuestion,
  options: ProbeLayersOptions = {},
): Promise<{ layers: LayerResult[]; seen: number }> {
  const { train, heldOut, classes } = question;
  const { seed = 0, featureBytes = FEATURE_BYTES } = options;
  checkOptions("Cannot probe layers", { seed, featureBytes }, {
    seed: seedRule,
    featureBytes: notNegative,
  });
  const control = controlLabels({ train, heldOut }, { classes, seed });
  const points = matchHooks(options.points ?? residualPoints(model), hookPoints(model));
  const rows = train.labels.length + heldOut.labels.length;
  const together = Math.max(1, Math.floor(featureBytes / (4 * rows * model.config.channels)));
  const layers: LayerResult[] = [];
  for (let from = 0; from < points.length; from += together) {
    const some = { ...options, points: points.slice(from, from + together) };
    options.onPhase?.("read");
    using owned = new DisposableStack();
    const collect = ({ sequences }: ProbeExamples): Map<string, Tensor> => {
      const features = collectFeatures(model, sequences, some);
      owned.defer(() => features.forEach(({ buffer }) => model.device.pool.release(buffer)));
      return features;
    };
    const [first, second] = [collect(train), collect(heldOut)];
    await standardize(first, second);
    options.onPhase?.("train");
    const names = [...first.keys()];
    const probes = trainLinearProbes(
      names.flatMap((name) =>
        [train.labels, control.train].map((labels) => ({
          features: first.get(name)!,
          labels,
          classes,
        }))
      ),
      options,
    );
    probes.forEach((probe) => owned.use(probe));
    const asked = probes.map((probe, i) => ({ probe, features: second.get(names[i >> 1])! }));
    const found = await predictLabels(asked);
    names.forEach((point, i) => {
      const accuracy = agreement(found[2 * i], heldOut.labels);
      const guessed = agreement(found[2 * i + 1], control.heldOut);
      layers.push({
        point,
        accuracy,
        control: guessed,
        selectivity: accuracy - guessed,
        confusion: confusionOf(heldOut.labels, found[2 * i], classes),
      });
    });
  }
  return { layers, seen: control.seen };
}

/** Part of the places at which both are the same. */
export function agreement(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let right = 0;
  for (let i = 0; i < wanted.length; i++) right += found[i] === wanted[i] ? 1 : 0;
  return right / wanted.length;
}

/** Counts by wanted (rows) and found (columns). */
export function confusionOf(
  wanted: ArrayLike<number>,
  found: ArrayLike<number>,
  classes: number,
): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < wanted.length; i++) counts[wanted[i]][found[i]]++;
  return counts;
}

/** Rows that means and deviations are taken from: they need not be exact. */
const SAMPLED = 4096;

/** Brings each channel of both to a mean of 0 and a deviation of 1, as they are in the first, in place. */
async function standardize(
  train: Map<string, Tensor>,
  heldOut: Map<string, Tensor>,
): Promise<void> {
  for (const [name, features] of train) {
    const { device, shape: [N, C] } = features;
    const count = Math.min(N, SAMPLED);
    const rows = Uint32Array.from({ length: count }, (_, i) => Math.floor(i * N / count));
    const [{ data: sample }] = await device.compute(() => [
      gatherRows(features, device.upload(rows)),
    ]);
    const scale = new Float32Array(C * C);
    const bias = new Float32Array(C);
    for (let c = 0; c < C; c++) {
      let [sum, squares] = [0, 0];
      for (let i = c; i < sample.length; i += C) sum += sample[i];
      const mean = sum / count;
      for (let i = c; i < sample.length; i += C) squares += (sample[i] - mean) ** 2;
      const deviation = Math.sqrt(squares / count) || 1;
      scale[c * C + c] = 1 / deviation;
      bias[c] = -mean / deviation;
    }
    using _scope = device.scope();
    const [diagonal, shift] = [device.upload(scale, [C, C]), device.upload(bias)];
    for (const all of [train, heldOut]) {
      const raw = all.get(name)!;
      all.set(name, device.pool.persistent(() => matmul(raw, diagonal, { bias: shift })));
      device.pool.release(raw.buffer);
    }
  }
}
