/**
 * A control task for probes: labels that say nothing about language, to be learnt by heart.
 *
 * @module
 */
import { type Random, randomOf } from "../random.ts";

/** Examples of one side: the type of each, such as a word in small letters, and its label. */
export interface TypedLabels {
  /** What each example is. */
  types: readonly string[];
  /** Number of the label of each. */
  labels: ArrayLike<number>;
}

/** Labels of the control task, and how much of it can be known. */
export interface ControlLabels {
  /** For each example that is trained on. */
  train: Int32Array;
  /** For each that is held out; the same type has the same label on both sides. */
  heldOut: Int32Array;
  /** Part of the examples held out whose type is among those trained on: of others nobody can know it. */
  seen: number;
}

/**
 * The control task of Hewitt & Liang (2019, arXiv:1909.03368, section 2): every type draws one label,
 * whatever its examples mean, from the labels as often as they occur in training. Whoever predicts it well
 * has learnt types by heart; what a probe does better on the real task is its selectivity.
 *
 * @param seed another seed, another task
 */
export function controlLabels(
  sides: { train: TypedLabels; heldOut: TypedLabels },
  { classes, seed = 0 }: { classes: number; seed?: number },
): ControlLabels {
  const { train, heldOut } = sides;
  const counts = new Uint32Array(classes);
  for (let i = 0; i < train.labels.length; i++) counts[train.labels[i]]++;
  const random = randomOf(seed, train.labels.length);
  const known = new Map<string, number>();
  const labelOf = (type: string): number => {
    let label = known.get(type);
    if (label === undefined) known.set(type, label = draw(counts, random));
    return label;
  };
  const first = Int32Array.from(train.types, labelOf);
  const seen = heldOut.types.filter((type) => known.has(type)).length / heldOut.types.length;
  return { train: first, heldOut: Int32Array.from(heldOut.types, labelOf), seen };
}

/** A label, each as likely as its count. */
function draw(counts: Uint32Array, random: Random): number {
  let rest = random() * counts.reduce((sum, count) => sum + count, 0);
  for (let label = 0; label < counts.length; label++) {
    rest -= counts[label];
    if (rest < 0) return label;
  }
  return counts.findLastIndex((count) => count > 0);
}
