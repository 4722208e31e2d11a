/**
 * Everything at once: association tests of embeddings, of masked sentences, and of pairs of sentences.
 *
 * @module
 */
import { escapeHtml, showValue, table } from "../../formats/page/html.ts";
import { VitrailError } from "../../errors.ts";
import { Gpt } from "../../models/gpt.ts";
import { colouredTable, colouredTokens } from "../../formats/page/tokens.ts";
import type { ProbePage, ProbeSection } from "../probe_page.ts";
import type { ProbeSubject } from "../subject.ts";
import type { PermutationOptions } from "./permutation.ts";
import { type PairPreference, type SentencePair, sentencePreference } from "./sentence_pairs.ts";
import { templateAssociation } from "./templates.ts";
import { type Association, embeddingAssociation } from "./weat.ts";
import { TEMPLATE_TESTS, type TemplateTest, WEAT_TESTS, type WordTest } from "./word_sets.ts";

/** What is asked. */
export interface BiasOptions extends PermutationOptions {
  /** Tests of embeddings; those of Caliskan et al. if absent. */
  words?: readonly WordTest[];
  /** Tests in sentences, for a BERT; templates after Kurita et al. if absent. */
  templates?: readonly TemplateTest[];
  /** Pairs of sentences. */
  pairs?: readonly SentencePair[];
  /** Told before each test. */
  onTest?: (name: string, done: number, total: number) => void;
}

/** What is found. */
export interface BiasFindings {
  /** Of embeddings. */
  words: Association[];
  /** Of masked sentences. */
  templates: Association[];
  /** Of pairs. */
  pairs?: PairPreference;
  /** Tests that could not be made, and why. */
  skipped: string[];
}

/** Makes all tests that this model allows; those whose words it does not know are told in `skipped`. */
export async function probeBias(
  subject: ProbeSubject,
  options: BiasOptions = {},
): Promise<BiasFindings> {
  const { words = WEAT_TESTS, pairs, onTest } = options;
  const masked = !(subject.model instanceof Gpt) && subject.model.heads.masked !== undefined;
  const templates = options.templates ?? (masked ? TEMPLATE_TESTS : []);
  const total = words.length + templates.length + (pairs ? 1 : 0);
  const found: BiasFindings = { words: [], templates: [], skipped: [] };
  let done = 0;
  const attempt = async (name: string, test: () => Promise<void>) => {
    onTest?.(name, done++, total);
    try {
      await test();
    } catch (cause) {
      if (!(cause instanceof VitrailError)) throw cause;
      found.skipped.push(cause.message);
    }
  };
  for (const test of words) {
    await attempt(test.name, async () => {
      found.words.push(await embeddingAssociation(subject, test, options));
    });
  }
  for (const test of templates) {
    await attempt(test.name, async () => {
      found.templates.push(await templateAssociation(subject, test, options));
    });
  }
  if (pairs) {
    onTest?.("sentence pairs", done++, total);
    found.pairs = await sentencePreference(subject, pairs, options);
  }
  onTest?.("", done, total);
  return found;
}

/** Said on every page and before every table: what the numbers cannot say. */
export const BIAS_NOTICE: string =
  "An effect says that this model's numbers group these words this way. It does not say that the model " +
  "will act on it, nor does an effect near zero say that it will not: other words, templates and " +
  "vocabularies give other numbers. p is of each test alone; of twenty tests one is below 0.05 by chance.";

/** The page. */
export function biasPage(found: BiasFindings): ProbePage {
  const sections: ProbeSection[] = [
    associations(found.words, {
      heading: "Embeddings (WEAT)",
      about:
        "Above zero: the first targets lie nearer to the first attributes, and the second to the " +
        "second, than the other way round. d is 2 or so at most.",
    }),
    associations(found.templates, {
      heading: "Masked sentences",
      about:
        "Above zero: with the first attributes in the sentence the model expects the first targets " +
        "more than with the second attributes.",
    }),
    ...found.pairs ? [pairSection(found.pairs)] : [],
    ...found.skipped.length === 0 ? [] : [{
      heading: "Tests that could not be made",
      html: `<ul>${found.skipped.map((why) => `<li>${escapeHtml(why)}</li>`).join("")}</ul>`,
    }],
  ].filter((section) => section !== undefined);
  const all = [...found.words, ...found.templates];
  return {
    title: "Association tests",
    notice: BIAS_NOTICE,
    figures: {
      "tests": all.length,
      "with p below 0.05": all.filter(({ p }) => p < 0.05).length,
      ...found.pairs && { "pairs whose first is likelier": percent(found.pairs.share) },
    },
    sections,
  };
}

function associations(
  tests: readonly Association[],
  texts: { heading: string; about: string },
): ProbeSection | undefined {
  if (tests.length === 0) return undefined;
  const rows = tests.map((test) => {
    const { name, targets, attributes, effect, p, exact, permutations, dropped, pieces } = test;
    const what = `${targets.join(" / ")} with ${attributes.join(" / ")}`;
    const ways = exact ? `all of ${showValue(permutations)}` : `${showValue(permutations)} drawn`;
    return {
      label: name,
      cells: [
        {
          text: effect.toFixed(2),
          value: effect / 2,
          note: `${name}, ${what}: d ${effect.toFixed(3)}`,
        },
        {
          text: showValue(Number(p.toPrecision(2))) + (exact ? "" : " ~"),
          note: `${name}: p ${p.toPrecision(3)}, of ${ways} ways to divide the words`,
        },
        { text: what },
        {
          text: String(dropped.length),
          note: `${name}: ${dropped.join(", ") || "no word"} dropped`,
        },
        { text: String(pieces), note: `${name}: ${pieces} words of several tokens` },
      ],
    };
  });
  const heads = ["Test", "d", "p", "Of what", "Words dropped", "Of several tokens"];
  const words = tests.map((test) => {
    const most = Math.max(...test.scores.map(({ score }) => Math.abs(score))) || 1;
    const groups = Map.groupBy(test.scores, ({ set }) => set);
    const lines = [...groups].map(([set, scores]) =>
      `<p>${escapeHtml(set)}</p>` + colouredTokens(
        scores.toSorted((a, b) => b.score - a.score).flatMap(({ word, score }, i) => [
          ...i === 0 ? [] : [{ text: " " }],
          { text: word, value: score / most, note: `${word}: ${showValue(score)}` },
        ]),
      )
    );
    return `<details${test.p < 0.05 ? " open" : ""}><summary>${
      escapeHtml(test.name)
    }, word by word</summary>${lines.join("")}</details>`;
  });
  return { ...texts, html: colouredTable(heads, rows) + words.join("\n") };
}

function pairSection({ pairs, share, effect, p, exact }: PairPreference): ProbeSection {
  const rows = pairs.toSorted((a, b) => difference(b) - difference(a)).map((pair) => [
    pair.first,
    pair.second,
    difference(pair).toFixed(2),
  ]);
  return {
    heading: "Pairs of sentences",
    about:
      `Of ${pairs.length} pairs the first sentence is likelier in ${
        percent(share)
      }; mean difference ` +
      `over its deviation ${effect.toFixed(2)}, p ${p.toPrecision(2)}${exact ? "" : " (drawn)"}. ` +
      "The difference is in nats.",
    html: `<div class="scroll">${table(["First", "Second", "Difference"], rows)}</div>`,
  };
}

const difference = ({ scores: [a, b] }: { scores: readonly [number, number] }): number => a - b;
const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
