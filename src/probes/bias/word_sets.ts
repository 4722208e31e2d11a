/**
 * The words of association tests: those of the papers, and a user's own.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import templates from "./template_sets.json" with { type: "json" };
import weat from "./weat_sets.json" with { type: "json" };

/** Words that stand for something. */
export interface WordSet {
  /** What they stand for. */
  name: string;
  /** The words. */
  words: readonly string[];
}

/** Two sets of targets, and two of what they may be associated with. */
export interface WordTest {
  /** What is tested. */
  name: string;
  /** X and Y. */
  targets: readonly WordSet[];
  /** A and B. */
  attributes: readonly WordSet[];
}

/** The same in sentences. */
export interface TemplateTest extends WordTest {
  /** Sentences with `[TARGET]` and `[ATTRIBUTE]`. */
  templates: readonly string[];
}

/** Tests 1 to 10 of Caliskan et al. 2017 (arXiv:1608.07187, appendix A). */
export const WEAT_TESTS: readonly WordTest[] = weat.tests;

/** Templates after Kurita et al. 2019 (arXiv:1906.07337), for the words of tests 6 to 8. */
export const TEMPLATE_TESTS: readonly TemplateTest[] = templates.tests;

/**
 * Tests in JSON: `{ "tests": [{ "name", "targets": [{ "name", "words" }, …2], "attributes": [… 2] }] }`,
 * with `"templates"` beside them if sentences are asked for.
 *
 * @param source what to call it in errors
 * @throws {VitrailError} if it is something else; the message names the place
 */
export function parseTests(json: unknown, source: string, sentences: true): TemplateTest[];
/** The same without sentences. */
export function parseTests(json: unknown, source: string, sentences: false): WordTest[];
export function parseTests(json: unknown, source: string, sentences: boolean): WordTest[] {
  const refuse = (place: string, wanted: string): never => {
    throw new VitrailError(`Cannot use ${source}: ${place} is not ${wanted}`);
  };
  const tests = (json as { tests?: unknown } | null)?.tests;
  if (!Array.isArray(tests) || tests.length === 0) return refuse("tests", "a list of tests");
  tests.forEach((test, i) => {
    const name = test?.name;
    if (typeof name !== "string") refuse(`tests[${i}].name`, "a text");
    for (const side of ["targets", "attributes"]) {
      const sets = test[side];
      const fine = Array.isArray(sets) && sets.length === 2 &&
        sets.every((set) =>
          typeof set?.name === "string" && Array.isArray(set.words) && set.words.length > 0 &&
          set.words.every((word: unknown) => typeof word === "string" && word.trim() !== "")
        );
      if (!fine) refuse(`tests[${i}].${side}`, "two sets, each with a name and some words");
    }
    const fine = Array.isArray(test.templates) && test.templates.length > 0 &&
      test.templates.every((text: unknown) =>
        typeof text === "string" && text.split("[TARGET]").length === 2 &&
        text.split("[ATTRIBUTE]").length === 2
      );
    if (sentences && !fine) {
      refuse(`tests[${i}].templates`, "sentences with one [TARGET] and one [ATTRIBUTE] each");
    }
  });
  return tests;
}
