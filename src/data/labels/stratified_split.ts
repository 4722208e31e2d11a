/**
 * A validation set in which every label has its share.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { checkOptions, part, seedRule } from "../../formats/option_rules.ts";
import type { LabelledText } from "./labelled_texts.ts";
import { randomOf, shuffle } from "../random.ts";

/** The two sides. */
export interface LabelledSplit {
  /** To learn from. */
  train: LabelledText[];
  /** Held out. */
  validation: LabelledText[];
}

/**
 * Holds out `fraction` of the texts of each label, or of each combination of labels, chosen by
 * `seed`. Copies of a text are on one side, with the label of the first of them. A label with one
 * text only is learnt from; numbers are one label here.
 *
 * @throws {VitrailError} if one side would be empty.
 */
export function stratifiedSplit(
  examples: readonly LabelledText[],
  options: { fraction: number; seed?: number },
): LabelledSplit {
  const { fraction, seed = 0 } = options;
  checkOptions("Cannot hold texts out", { fraction, seed }, { fraction: part, seed: seedRule });
  const byText = Map.groupBy(examples, ({ text, pair }) => JSON.stringify([text, pair]));
  const strata = Map.groupBy(byText.values(), ([{ labels }]) => {
    const names = labels.filter((label) => typeof label === "string");
    return JSON.stringify(names.sort());
  });
  const held = new Set<LabelledText>();
  [...strata.keys()].sort().forEach((key, stratum) => {
    const groups = strata.get(key)!;
    const order = Uint32Array.from(groups.keys());
    shuffle(order, randomOf(seed, stratum));
    const total = groups.reduce((sum, group) => sum + group.length, 0);
    let count = 0;
    for (const at of order.subarray(1)) {
      const group = groups[at];
      // The nearest to the share that whole groups can come.
      if (count + group.length / 2 > fraction * total) break;
      for (const example of group) held.add(example);
      count += group.length;
    }
  });
  const train = examples.filter((example) => !held.has(example));
  const validation = examples.filter((example) => held.has(example));
  if (fraction > 0 && (validation.length === 0 || train.length === 0)) {
    throw new VitrailError(
      `Cannot hold out ${fraction} of ${examples.length} labelled texts: ${train.length} would be ` +
        `left to train on and ${validation.length} to validate; give more texts or --validation FILE`,
    );
  }
  return { train, validation };
}
