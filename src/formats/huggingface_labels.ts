/** Labels in Hugging Face's `config.json`: their names, and what they mean. @module */

import { VitrailError } from "../errors.ts";
import { quoteValue } from "./messages.ts";

/** What labels mean: one of them holds, several may, or they are numbers. */
export type LabelKind = "single" | "multiple" | "number";

const problems: Record<LabelKind, string> = {
  single: "single_label_classification",
  multiple: "multi_label_classification",
  number: "regression",
};

/** The fields of the two texts of a pair, such as `premise` and `hypothesis`. */
export type PairFields = readonly [first: string, second: string];

/** Tasks of GLUE that compare two texts, by the names that `transformers` writes as `finetuning_task`. */
const PAIR_TASKS: Record<string, PairFields> = {
  mnli: ["premise", "hypothesis"],
  mrpc: ["sentence1", "sentence2"],
  qnli: ["question", "sentence"],
  qqp: ["question1", "question2"],
  rte: ["sentence1", "sentence2"],
  stsb: ["sentence1", "sentence2"],
  wnli: ["sentence1", "sentence2"],
};

/**
 * The fields of the pairs that a classifier was trained on: `pair_fields`, which Vitrail writes and
 * `transformers` passes over, or those of `finetuning_task`; absent where neither says that there were
 * pairs.
 */
export function parsePairFields(json: Record<string, unknown>): PairFields | undefined {
  const { pair_fields: fields, finetuning_task: task } = json;
  if (Array.isArray(fields) && fields.length === 2) return [String(fields[0]), String(fields[1])];
  const name = typeof task === "string" ? task.toLowerCase().replace("-", "") : "";
  return Object.hasOwn(PAIR_TASKS, name) ? PAIR_TASKS[name] : undefined;
}

/**
 * Labels in the order of their ids; `transformers` takes two where a file has none, and where it has
 * another number of names than `num_labels`, it drops the names.
 */
export function parseLabels(json: Record<string, unknown>): string[] {
  const byId = (json.id2label ?? undefined) as Record<string, unknown> | undefined;
  const named = byId && Object.keys(byId).length;
  const count = (json.num_labels as number | undefined) ?? named ?? 2;
  const known = count === named ? byId : undefined;
  return Array.from({ length: count }, (_, i) => `${known?.[i] ?? `LABEL_${i}`}`);
}

/**
 * What the labels mean; where a file does not say, a single one is a number.
 *
 * @throws {VitrailError} if a single label is to be one of several
 */
export function parseLabelKind(
  json: Record<string, unknown>,
  labels: string[],
  action: string,
): LabelKind {
  const known = Object.entries(problems).find(([, problem]) => problem === json.problem_type);
  if (known?.[0] === "single" && labels.length === 1) {
    throw new VitrailError(
      `${action}: problem_type is ${
        quoteValue(json.problem_type)
      } with one label, wanted two or more`,
    );
  }
  return (known?.[0] ?? (labels.length === 1 ? "number" : "single")) as LabelKind;
}

/** The keys that say so. */
export function formatLabels(
  labels: string[],
  { kind, pairFields }: { kind?: LabelKind; pairFields?: PairFields } = {},
): Record<string, unknown> {
  return {
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    ...kind && { problem_type: problems[kind] },
    ...pairFields && { pair_fields: pairFields },
  };
}
