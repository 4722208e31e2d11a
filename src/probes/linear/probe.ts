/**
 * What a model's layers know about labels, beside everything that makes such a number mean less.
 *
 * @module
 */
import { Bert } from "../../models/bert.ts";
import { Gpt } from "../../models/gpt.ts";
import { freshWeights } from "../../models/weights.ts";
import { agreement, type LayerResult, probeLayers, type ProbeLayersOptions } from "./layers.ts";
import type { ProbedModel } from "../probed_model.ts";
import type { NamedQuestion } from "./questions.ts";

/** What linear probes found. */
export interface LinearProbeResult {
  /** Names of the labels. */
  labels: readonly string[];
  /** What an example is, in the plural. */
  unit: "words" | "texts";
  /** Examples and different types of each side, and how often each label occurs. */
  train: SideCounts;
  /** The same of what probes are judged by. */
  heldOut: SideCounts;
  /** Part of the examples held out whose type occurs in training: nobody can know others' control labels. */
  seen: number;
  /** Accuracies that need no model. */
  baselines: {
    /** The label that is most frequent in training, always. */
    majority: number;
    /** The label that was most frequent for the type in training. */
    type: number;
  };
  /** The model's hook points, in the order of its forward pass. */
  layers: LayerResult[];
  /** The same for a model of the same sizes that was never trained, if that was asked for. */
  random?: LayerResult[];
}

/** Counts of one side. */
export interface SideCounts {
  /** Examples. */
  examples: number;
  /** Different types. */
  types: number;
  /** Examples of each label. */
  labels: number[];
}

/** How it is probed. */
export interface ProbeLinearOptions extends Omit<ProbeLayersOptions, "pooling"> {
  /** Also probe a model of the same sizes with fresh weights; default true. */
  random?: boolean;
}

/**
 * Trains linear probes and their control tasks at every layer of a model, and the same again on a model
 * that was never trained: its activations already tell many words apart.
 *
 * @throws {VitrailError} if a name meets no hook point
 */
export async function probeLinear(
  model: ProbedModel,
  question: NamedQuestion,
  options: ProbeLinearOptions = {},
): Promise<LinearProbeResult> {
  const { train, heldOut, classes, labels, unit, pooling } = question;
  const { layers, seen } = await probeLayers(model, question, { ...options, pooling });
  let random: LayerResult[] | undefined;
  if (options.random ?? true) {
    using fresh = freshModel(model, 1 + (options.seed ?? 0));
    random = (await probeLayers(fresh, question, { ...options, pooling })).layers;
  }
  const counts = ({ labels, types }: typeof train): SideCounts => {
    const found = new Array<number>(classes).fill(0);
    for (const label of labels) found[label]++;
    return { examples: labels.length, types: new Set(types).size, labels: found };
  };
  const most = largest(counts(train).labels);
  const known = frequentLabels(train, classes);
  return {
    labels,
    unit,
    train: counts(train),
    heldOut: counts(heldOut),
    seen,
    baselines: {
      majority: agreement(heldOut.types.map(() => most), heldOut.labels),
      type: agreement(heldOut.types.map((type) => known.get(type) ?? most), heldOut.labels),
    },
    layers,
    random,
  };
}

/** The label that each type had most often. */
function frequentLabels(
  { types, labels }: NamedQuestion["train"],
  classes: number,
): Map<string, number> {
  const counts = new Map<string, Uint32Array>();
  types.forEach((type, i) => {
    const own = counts.get(type) ?? new Uint32Array(classes);
    counts.set(type, own);
    own[labels[i]]++;
  });
  return new Map([...counts].map(([type, own]) => [type, largest(own)]));
}

/** The place of the largest number, the first of equals. */
function largest(counts: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < counts.length; i++) if (counts[i] > counts[best]) best = i;
  return best;
}

/** A model of the same sizes that was never trained. */
function freshModel({ device, config }: ProbedModel, seed: number): ProbedModel {
  const source = freshWeights(seed);
  return "positions" in config
    ? new Gpt(device, config, source)
    : new Bert(device, config, { heads: { kind: "none" }, source });
}
