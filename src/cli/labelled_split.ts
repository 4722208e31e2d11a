/**
 * The labelled texts of `finetune classify`, in two: to learn from, and held out.
 *
 * @module
 */
import { areFractions, orderLabels } from "../data/labels/label_order.ts";
import { type LabelledTexts, readLabelledTexts } from "../data/labels/labelled_texts.ts";
import { type LabelledSplit, stratifiedSplit } from "../data/labels/stratified_split.ts";
import { textFields } from "../data/sources/field_records.ts";
import { VitrailError } from "../errors.ts";
import type { LabelKind, PairFields } from "../formats/huggingface_labels.ts";
import { tellEmpty } from "./given_texts.ts";
import { printNotice } from "./printer.ts";
import type { RunFlags } from "./run_flags.ts";
import { ownLabels } from "./run_task.ts";

/** The flags that say what is read. */
export interface LabelledFlags extends RunFlags {
  /** Labelled texts. */
  data: string;
  /** Held-out labelled texts. */
  validation?: string;
  /** Part of the data held out where there are none. */
  validationFraction: number;
  /** What labels mean; told by the data if absent. */
  labels?: LabelKind;
  /** How rare classes are made up for. */
  balance: "none" | "weights" | "sampling";
  /** Field or column of the text, or two of pairs. */
  textField: string;
  /** Field or column of the label. */
  labelField: string;
}

/** The labelled texts, and which of them are held out. */
export async function readSplit(
  flags: LabelledFlags,
  base: string | undefined,
): Promise<{ texts: LabelledTexts; split: LabelledSplit }> {
  if (!flags.data) {
    throw new VitrailError(
      "Cannot tell how many labels there are without labelled texts: give --data FILE",
    );
  }
  const fields = { textField: flags.textField, labelField: flags.labelField };
  const texts = await readLabelledTexts(flags.data, { ...fields, kind: flags.labels });
  if (texts.kind !== "number") {
    texts.labels = orderLabels(texts.labels, ownLabels(flags, base));
    if (texts.kind === "single" && flags.labels === undefined && areFractions(texts.labels)) {
      printNotice(
        `The labels of ${flags.data} are ${texts.labels.length} numbers, each learnt as a class of its ` +
          "own; --labels number learns how large they are",
      );
    }
  }
  if (texts.kind !== "single" && flags.balance !== "none") {
    throw new VitrailError(
      `Cannot balance ${flags.data}: its labels are ${texts.kind}; --balance is for one class a text`,
    );
  }
  tellEmpty(texts.empty, flags.data);
  if (flags.validation === undefined) {
    const { validationFraction: fraction, seed } = flags;
    return { texts, split: stratifiedSplit(texts.examples, { fraction, seed }) };
  }
  const held = await readLabelledTexts(flags.validation, {
    ...fields,
    kind: texts.kind,
    known: texts.labels,
  });
  tellEmpty(held.empty, flags.validation);
  return { texts, split: { train: texts.examples, validation: held.examples } };
}

/** The fields that held the texts of pairs; nothing if these texts are no pairs. */
export function pairFieldsOf(
  { examples }: LabelledTexts,
  { textField }: Pick<LabelledFlags, "textField">,
): PairFields | undefined {
  if (examples[0].pair === undefined) return undefined;
  const [first, second] = textFields(textField);
  return [first, second];
}
