/**
 * `vitrail probe bias`: which words a model groups with which.
 *
 * @module
 */
import type { Command } from "commander";
import { csvRecords, jsonRecords } from "../data/sources/field_records.ts";
import { readText } from "../data/sources/text_stream.ts";
import { VitrailError } from "../errors.ts";
import { readJsonObject } from "../formats/json_file.ts";
import { showPath } from "../formats/messages.ts";
import { BIAS_NOTICE, type BiasFindings, biasPage, probeBias } from "../probes/bias/probe.ts";
import type { SentencePair } from "../probes/bias/sentence_pairs.ts";
import type { Association } from "../probes/bias/weat.ts";
import { parseTests } from "../probes/bias/word_sets.ts";
import { ProgressBar } from "../training/progress.ts";
import { whole } from "./numbers.ts";
import { addProbeFlags, type ProbeFlags, withSubject, writeProbe } from "./probe_flags.ts";

/** Values of the flags. */
interface BiasFlags extends ProbeFlags {
  sets?: string;
  templates?: string;
  pairs?: string;
  firstField: string;
  secondField: string;
  permutations: number;
  seed: number;
}

/** Adds the command. */
export function addProbeBias(probe: Command): void {
  addProbeFlags(probe.command("bias"))
    .description("test which words a model groups with which: WEAT, masked sentences, pairs")
    .option("--sets <file>", "JSON with word sets of your own in place of the papers'")
    .option("--templates <file>", "JSON with sentences of your own, for a BERT")
    .option("--pairs <file>", ".csv, .tsv or .jsonl with pairs of sentences to compare")
    .option("--first-field <name>", "field of the sentence whose preference is measured", "first")
    .option("--second-field <name>", "field of the other", "second")
    .option(
      "--permutations <n>",
      "try all up to so many, and draw so many beyond",
      whole(1),
      100_000,
    )
    .option("--seed <n>", "decides which are drawn", whole(0), 0)
    .action(runProbeBias);
}

async function runProbeBias(flags: BiasFlags): Promise<void> {
  const { sets, templates } = flags;
  const options = {
    words: sets === undefined ? undefined : parseTests(readJsonObject(sets), showPath(sets), false),
    templates: templates === undefined
      ? undefined
      : parseTests(readJsonObject(templates), showPath(templates), true),
    pairs: flags.pairs === undefined ? undefined : await readPairs(flags.pairs, flags),
    most: flags.permutations,
    seed: flags.seed,
  };
  await withSubject(flags, async (subject) => {
    let bar: ProgressBar | undefined;
    const found = await probeBias(subject, {
      ...options,
      onTest: (name, done, total) => {
        bar ??= new ProgressBar({ total, label: "bias", unit: "test" });
        bar.update(done, name === "" ? {} : { now: name });
      },
    });
    bar?.finish();
    writeProbe(flags, {
      json: { notice: BIAS_NOTICE, ...found },
      text: () => describe(found),
      page: () => biasPage(found),
    });
  });
}

/** Pairs of sentences from a file with both in each record. */
async function readPairs(
  path: string,
  { firstField, secondField }: BiasFlags,
): Promise<SentencePair[]> {
  const records = /\.(csv|tsv)$/i.test(path)
    ? csvRecords
    : /\.(jsonl|ndjson)$/i.test(path)
    ? jsonRecords
    : undefined;
  if (!records) {
    throw new VitrailError(
      `Cannot read pairs from ${showPath(path)}: wanted a file that ends in .csv, .tsv or .jsonl`,
    );
  }
  const names = { text: firstField, label: secondField };
  return Array.from(records(path, await readText(path), names), ({ text, label, place }) => {
    if (typeof label === "string" && label.trim() !== "" && text.trim() !== "") {
      return { first: text, second: label };
    }
    throw new VitrailError(
      `Cannot read pairs from ${showPath(path)}: ${place} has no two sentences in ${firstField} ` +
        `and ${secondField}`,
    );
  });
}

function describe({ words, templates, pairs, skipped }: BiasFindings): string {
  const lines = [BIAS_NOTICE];
  if (words.length > 0) lines.push("", "embeddings", ...rows(words));
  if (templates.length > 0) lines.push("", "masked sentences", ...rows(templates));
  if (pairs) {
    const { share, effect, p, exact } = pairs;
    lines.push(
      "",
      `pairs: the first is likelier in ${(100 * share).toFixed(1)} % of ${pairs.pairs.length}; ` +
        `effect ${effect.toFixed(2)}, p ${p.toPrecision(2)}${exact ? "" : " (drawn)"}`,
    );
  }
  if (skipped.length > 0) lines.push("", ...skipped);
  return lines.join("\n");
}

/** A line for each test, the figures below one another. */
function rows(tests: readonly Association[]): string[] {
  return tests.map((test) => {
    const { name, targets, attributes, effect, p, exact, dropped, pieces } = test;
    const words = dropped.length === 1 ? "word" : "words";
    const left = dropped.length > 0 ? `, ${dropped.length} ${words} dropped` : "";
    const several = pieces > 0 ? `, ${pieces} of several tokens` : "";
    return `${effect.toFixed(2).padStart(6)}  p ${p.toPrecision(2).padEnd(7)}${
      exact ? " " : "~"
    } ` +
      `${name}: ${targets.join("/")} with ${attributes.join("/")}${left}${several}`;
  });
}
