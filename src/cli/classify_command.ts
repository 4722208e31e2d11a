/**
 * `vitrail classify`: labels for texts.
 *
 * @module
 */
import type { Command } from "commander";
import type { LongTexts } from "../data/padded_sequences.ts";
import { openDevice } from "../gpu/device.ts";
import { type ClassifiedText, loadTextClassifier } from "../inference/text_classifier.ts";
import {
  addLongTextsFlag,
  checkGiven,
  givenTexts,
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
  topK?: number;
  batch: number;
  sequence?: number;
  longTexts: LongTexts;
  json: boolean;
}

/** Adds the command to the program. */
export function addClassify(program: Command): void {
  addLongTextsFlag(addTuneFlag(program.command("classify")))
    .description("label texts with a model that `finetune classify` made")
    .argument("[text...]", "the texts; see --data for files")
    .requiredOption("--model <directory>", "the model")
    .option("--adapter <directory>", "a LoRA adapter of it, ours or PEFT's")
    .option("--data <source>", "texts: .csv, .tsv, .jsonl, a line each of another file, or -")
    .option("--text-field <name>", "field or column of the text", "text")
    .option("--top-k <n>", "labels for each text, the best first; all if absent", whole(1))
    .option("--batch <n>", "texts at once", whole(1), 16)
    .option("--sequence <n>", "tokens of a text at most; the model's context if absent", whole(3))
    .option("--json", "print a JSON object for each text", false)
    .action(async (texts: string[], flags: Flags) => {
      await runClassify(texts, flags);
    });
}

async function runClassify(given: string[], flags: Flags): Promise<void> {
  checkGiven(given, flags, "classify");
  const device = await openDevice();
  useTuned(device, flags);
  try {
    const classifier = await loadTextClassifier(device, flags.model, flags);
    const { batch, topK, sequence: limit, longTexts } = flags;
    let truncated = 0;
    for await (const texts of givenTexts(given, flags)) {
      const found = await classifier.classify(texts, { batch, topK, limit, longTexts });
      found.forEach((one, i) => {
        if (one.truncated) truncated++;
        print(flags.json ? JSON.stringify({ text: texts[i], ...one }) : line(texts[i], one));
      });
    }
    const most = Math.min(limit ?? Infinity, classifier.model.contextLength);
    tellLong(truncated, { limit: most, longTexts });
  } finally {
    device.destroy();
  }
}

/** A text on one line, shortened, behind what was found about it. */
function line(text: string, { labels }: ClassifiedText): string {
  const plain = text.replace(/\s+/g, " ").trim();
  const shown = plain.length > 60 ? `${plain.slice(0, 59)}…` : plain;
  return `${labels.map(({ label, score }) => `${label} ${score.toFixed(4)}`).join("  ")}\t${shown}`;
}
