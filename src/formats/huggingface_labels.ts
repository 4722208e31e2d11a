/** Labels in Hugging Face's `config.json`: their names, and what they mean. @module */

import { VitrailError } from "../errors.ts";
import {
  checkValue,
  either,
  number,
  object,
  optional,
  type Rule,
  text,
  whole,
} from "./json_rules.ts";
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

const pairRule: Rule = {
  wanted: "two names of fields",
  holds: (v) => Array.isArray(v) && v.length === 2 && v.every((name) => typeof name === "string"),
};

/** More labels than any classifier has: each is a name in memory. */
const MOST_LABELS = 1_000_000;

/** Names of labels by their ids, which are 0, 1 and so on without a gap. */
const namesRule: Rule = {
  wanted: "an object of labels by id, from 0 on without a gap",
  holds: (v) => {
    if (typeof v !== "object" || v === null || Array.isArray(v)) return false;
    const ids = Object.keys(v);
    return ids.length > 0 && ids.length <= MOST_LABELS &&
      ids.every((id) => /^(0|[1-9]\d*)$/.test(id) && Number(id) < ids.length);
  },
  *inside(v) {
    for (const [id, label] of Object.entries(v as object)) yield [id, label, labelRule];
  },
};

const labelRule: Rule = either(text, number);

/** What `config.json` may say of labels. */
export const labelRules = {
  id2label: optional(namesRule),
  num_labels: optional(whole(1, MOST_LABELS)),
  pair_fields: optional(pairRule),
} satisfies Record<string, Rule>;

/**
 * The fields of the pairs that a classifier was trained on: `pair_fields`, which Vitrail writes and
 * `transformers` passes over, or those of `finetuning_task`; absent where neither says that there were
 * pairs.
 */
export function parsePairFields(json: Record<string, unknown>): PairFields | undefined {
  const { pair_fields: fields, finetuning_task: task } = json;
  if (pairRule.holds(fields)) return [(fields as string[])[0], (fields as string[])[1]];
  const name = typeof task === "string" ? task.toLowerCase().replace("-", "") : "";
  return Object.hasOwn(PAIR_TASKS, name) ? PAIR_TASKS[name] : undefined;
}

/**
 * Labels in the order of their ids; `transformers` takes two where a file has none, and where it has
 * another number of names than `num_labels`, it drops the names.
 *
 * @throws {VitrailError} if a label is no text, or ids have gaps
 */
export function parseLabels(
  json: Record<string, unknown>,
  action = "Cannot use this config.json",
): string[] {
  const fault = (reason: string) => new VitrailError(`${action}: ${reason}`);
  checkValue(json, object(labelRules), { fault });
  const byId = (json.id2label ?? undefined) as Record<string, string | number> | undefined;
  const named = byId && Object.keys(byId).length;
  const count = (json.num_labels as number | null | undefined) ?? named ?? 2;
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
