/**
 * `vitrail classify`: labels for texts.
 *
 * @module
 */
import type { Command } from "commander";
import { readTexts } from "../data/sources/texts.ts";
import { VitrailError } from "../errors.ts";
import { openDevice } from "../gpu/device.ts";
import { type ClassifiedText, loadTextClassifier } from "../inference/text_classifier.ts";
import { whole } from "./numbers.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";

/** Texts that are read and classified together, so that the first labels come early. */
const TOGETHER = 256;

/** Values of the flags. */
interface Flags {
  /** Use the winners of a tuner. */
  tune: boolean;
  model: string;
  data?: string;
  textField: string;
  topK?: number;
  batch: number;
  sequence?: number;
  json: boolean;
}

/** Adds the command to the program. */
export function addClassify(program: Command): void {
  addTuneFlag(program.command("classify"))
    .description("label texts with a model that `finetune classify` made")
    .argument("[text...]", "the texts; see --data for files")
    .requiredOption("--model <directory>", "the model")
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
  if (given.length === 0 && flags.data === undefined) {
    throw new VitrailError("Cannot classify nothing: give texts, or --data FILE, or --data -");
  }
  const empty = given.findIndex((text) => text.trim() === "");
  if (empty >= 0) throw new VitrailError(`Cannot classify text ${empty + 1}: it is empty`);
  const device = await openDevice();
  useTuned(device, flags);
  try {
    const classifier = await loadTextClassifier(device, flags.model);
    const { batch, topK, sequence: limit } = flags;
    let truncated = 0;
    const flush = async (texts: string[]): Promise<void> => {
      const found = await classifier.classify(texts, { batch, topK, limit });
      found.forEach((one, i) => {
        if (one.truncated) truncated++;
        console.log(flags.json ? JSON.stringify({ text: texts[i], ...one }) : line(texts[i], one));
      });
    };
    if (given.length > 0) await flush(given);
    let waiting: string[] = [];
    const source = flags.data === undefined ? [] : readTexts(flags.data, flags);
    for await (const text of source) {
      waiting.push(text);
      if (waiting.length < TOGETHER) continue;
      await flush(waiting);
      waiting = [];
    }
    if (waiting.length > 0) await flush(waiting);
    if (truncated > 0) {
      const most = Math.min(limit ?? Infinity, classifier.model.contextLength);
      console.error(`${truncated} texts are longer than ${most} tokens: cut there`);
    }
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
