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
import type { PairFields } from "../formats/huggingface_labels.ts";
import type { ClassifyFlags } from "./finetune_classify.ts";
import { tellEmpty } from "./given_texts.ts";
import { printNotice } from "./printer.ts";
import { ownLabels } from "./run_task.ts";

/** The labelled texts, and which of them are held out. */
export async function readSplit(
  flags: ClassifyFlags,
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
  { textField }: Pick<ClassifyFlags, "textField">,
): PairFields | undefined {
  if (examples[0].pair === undefined) return undefined;
  const [first, second] = textFields(textField);
  return [first, second];
}
