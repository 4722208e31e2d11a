/**
 * `vitrail classify`: labels for texts.
 *
 * @module
 */
import type { Command } from "commander";
import type { LongTexts, TextInput } from "../data/padded_sequences.ts";
import { openDevice } from "../gpu/device.ts";
import { type ClassifiedText, loadTextClassifier } from "../inference/text_classifier.ts";
import {
  addLongTextsFlag,
  checkGiven,
  givenInputs,
  pairUp,
  tellLikelyPairs,
  tellLong,
  type TextFlags,
} from "./given_texts.ts";
import { whole } from "./numbers.ts";
import { print } from "./printer.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";

/** Values of the flags. */
interface Flags extends TextFlags {
  /** Use the winners of a tuner. */
  tune: boolean;
  model: string;
  adapter?: string;
  pair: string[];
  topK?: number;
  batch: number;
  sequence?: number;
  longTexts: LongTexts;
  json: boolean;
}

/** Adds the command to the program. */
export function addClassify(program: Command): void {
  addLongTextsFlag(addTuneFlag(program.command("classify")))
    .description("label texts, or pairs of texts, with a model that `finetune classify` made")
    .argument("[text...]", "the texts; see --data for files")
    .option(
      "--pair <text>",
      "the second text of a text, for a model of pairs; once for each text, in their order",
      (text, before: string[]) => [...before, text],
      [],
    )
    .option("--model <directory>", "the model")
    .option("--adapter <directory>", "a LoRA adapter of it, ours or PEFT's")
    .option(
      "--data <source>",
      "texts: .csv, .tsv, .jsonl, .json, a line each of another file, or -; a pair has a tab between " +
        "its texts there",
    )
    .option(
      "--text-field <name>",
      "field or column of the text, or two of pairs, as in premise,hypothesis; if absent text, or " +
        "the pairs that the model was trained on",
    )
    .option("--top-k <n>", "labels for each text, the best first; all if absent", whole(1))
    .option("--batch <n>", "texts at once", whole(1), 16)
    .option("--sequence <n>", "tokens of a text at most; the model's context if absent", whole(3))
    .option("--json", "print a JSON object for each text", false)
    .action(async (texts: string[], flags: Flags) => {
      await runClassify(texts, flags);
    });
}

async function runClassify(given: string[], flags: Flags): Promise<void> {
  const inputs = pairUp(given, flags.pair);
  checkGiven(inputs.map((input) => [input].flat().join("")), flags, "classify");
  const device = await openDevice();
  useTuned(device, flags);
  try {
    const classifier = await loadTextClassifier(device, flags.model, flags);
    const { batch, topK, sequence: limit, longTexts } = flags;
    const { data, textField = classifier.model.pairFields } = flags;
    let truncated = 0;
    let alone = false;
    for await (const texts of givenInputs(inputs, { data, textField })) {
      if (!alone && classifier.likelyPairs && texts.some((text) => typeof text === "string")) {
        alone = true;
        tellLikelyPairs(classifier.model.labels);
      }
      const found = await classifier.classify(texts, { batch, topK, limit, longTexts });
      found.forEach((one, i) => {
        if (one.truncated) truncated++;
        print(flags.json ? json(texts[i], one) : line(texts[i], one));
      });
    }
    const most = Math.min(limit ?? Infinity, classifier.model.contextLength);
    tellLong(truncated, { limit: most, longTexts });
  } finally {
    device.destroy();
  }
}

/** All that is known of a text or a pair. */
function json(input: TextInput, found: ClassifiedText): string {
  const [text, pair] = [input].flat();
  return JSON.stringify({ text, ...pair === undefined ? {} : { pair }, ...found });
}

/** A text on one line, shortened, behind what was found about it; of a pair both. */
function line(input: TextInput, { labels }: ClassifiedText): string {
  const shown = [input].flat().map((text) => {
    const plain = text.replace(/\s+/g, " ").trim();
    return plain.length > 60 ? `${plain.slice(0, 59)}…` : plain;
  });
  const scores = labels.map(({ label, score }) => `${label} ${score.toFixed(4)}`);
  return [scores.join("  "), ...shown].join("\t");
}
