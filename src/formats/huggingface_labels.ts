/** Labels in Hugging Face's `config.json`: their names, and what they mean. @module */

/** What labels mean: one of them holds, several may, or they are numbers. */
export type LabelKind = "single" | "multiple" | "number";

const problems: Record<LabelKind, string> = {
  single: "single_label_classification",
  multiple: "multi_label_classification",
  number: "regression",
};

/** Labels in the order of their ids; `transformers` takes two where a file has none. */
export function parseLabels(json: Record<string, unknown>): string[] {
  const byId = json.id2label as Record<string, string> | undefined;
  const count = byId ? Object.keys(byId).length : (json.num_labels as number | undefined) ?? 2;
  return Array.from({ length: count }, (_, i) => byId?.[i] ?? `LABEL_${i}`);
}

/** What the labels mean; where a file does not say, a single one is a number. */
export function parseLabelKind(json: Record<string, unknown>, labels: string[]): LabelKind {
  const known = Object.entries(problems).find(([, problem]) => problem === json.problem_type);
  return (known?.[0] ?? (labels.length === 1 ? "number" : "single")) as LabelKind;
}

/** The keys that say so. */
export function formatLabels(labels: string[], kind?: LabelKind): Record<string, unknown> {
  return {
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    ...kind && { problem_type: problems[kind] },
  };
}
