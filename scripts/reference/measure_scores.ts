/**
 * Measures the predictions that `measure_scores.py` wrote, and says where figures are others than those of
 * scikit-learn, SciPy and seqeval, or are no numbers.
 *
 *     deno run --allow-read measure_scores.ts FOLDER
 *
 * @module
 */
import {
  multipleLabelFigures,
  numberFigures,
  singleLabelFigures,
} from "../../src/data/labels/label_scores.ts";
import { scoreTags } from "../../src/data/tags/tag_scores.ts";

/** Predictions and the reference's figures; `null` is undefined there. */
interface Case {
  kind: "single" | "multiple" | "number" | "tags";
  labels: number;
  // deno-lint-ignore no-explicit-any -- each kind has its own
  truth: any;
  // deno-lint-ignore no-explicit-any
  found: any;
  wanted: (number | null)[];
}

const [folder] = Deno.args;
const cases: Case[] = JSON.parse(Deno.readTextFileSync(`${folder}/cases.json`));

/** Our figures in the order of the reference's. */
function measure({ kind, labels, truth, found }: Case): (number | undefined)[] {
  const names = Array.from({ length: labels }, (_, i) => `class ${i}`);
  if (kind === "tags") {
    const { accuracy, entities } = scoreTags(truth, found, { tags: ["O", "B-PER"] });
    return [accuracy, entities!.precision, entities!.recall, entities!.f1];
  }
  if (kind === "number") {
    const column = (values: number[]) => values.map((value) => [value]);
    const { pearson, spearman } = numberFigures(column(truth), column(found));
    return [pearson, spearman];
  }
  if (kind === "multiple") {
    const { accuracy, macroF1, microF1 } = multipleLabelFigures(truth, found, names);
    return [accuracy, macroF1, microF1];
  }
  const certain = found.map((k: number) => names.map((_, i) => i === k ? 1 : 0));
  const { accuracy, macroF1, classes } = singleLabelFigures(truth, certain, names);
  const each = (figure: "precision" | "recall" | "f1") => classes.map((one) => one[figure]);
  return [accuracy, macroF1, ...each("precision"), ...each("recall"), ...each("f1")];
}

const near = (a: number | undefined, b: number | null): boolean =>
  a === undefined ? b === null : b !== null && Math.abs(a - b) < 1e-9;
let wrong = 0;
for (const one of cases) {
  const figures = measure(one);
  if (figures.every((figure, i) => near(figure, one.wanted[i]))) continue;
  wrong++;
  console.log(JSON.stringify({ ...one, figures }));
}
console.log(`${cases.length - wrong} of ${cases.length} are those of the references`);
if (wrong > 0) Deno.exit(1);
