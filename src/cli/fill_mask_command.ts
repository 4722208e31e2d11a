/**
 * `vitrail fill-mask`: words for the gaps of a text.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { openDevice } from "../gpu/device.ts";
import { type FilledText, loadMaskFiller } from "../inference/fill_mask.ts";
import { givenTexts, type TextFlags } from "./given_texts.ts";
import { whole } from "./numbers.ts";
import { print } from "./printer.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";

/** Values of the flags. */
interface FillMaskFlags extends TextFlags {
  /** Use the winners of a tuner. */
  tune: boolean;
  model: string;
  adapter?: string;
  topK: number;
  batch: number;
  json: boolean;
}

/** Adds the command to the program. */
export function addFillMask(program: Command): void {
  addTuneFlag(program.command("fill-mask"))
    .description("guess the words at [MASK] with an encoder that `pretrain bert` made")
    .argument("[text...]", "texts with one [MASK] or several; see --data for files")
    .option("--model <directory>", "the model")
    .option("--adapter <directory>", "a LoRA adapter of it, ours or PEFT's")
    .option("--data <source>", "texts: .csv, .tsv, .jsonl, a line each of another file, or -")
    .option("--text-field <name>", "field or column of the text", "text")
    .option("--top-k <n>", "guesses for each [MASK], the likeliest first", whole(1), 5)
    .option("--batch <n>", "texts at once", whole(1), 8)
    .option("--json", "print a JSON object for each text", false)
    .action(runFillMask);
}

async function runFillMask(given: string[], flags: FillMaskFlags): Promise<void> {
  if (given.length === 0 && flags.data === undefined) {
    throw new VitrailError(
      'Cannot fill in nothing: give a text such as "The [MASK] of the house", or --data FILE or -',
    );
  }
  const device = await openDevice();
  useTuned(device, flags);
  try {
    const filler = await loadMaskFiller(device, flags.model, flags);
    for await (const texts of givenTexts(given, flags)) {
      for (const filled of await filler.fill(texts, flags)) {
        print(flags.json ? JSON.stringify(filled) : lines(filled));
      }
    }
  } finally {
    device.destroy();
  }
}

/** A text as it reads with the likeliest words, and below it all guesses, a line for each gap. */
function lines({ filled, masks }: FilledText): string {
  const guesses = masks.map(({ guesses }) =>
    "  " + guesses.map(({ token, score }) => `${token} ${score.toFixed(3)}`).join("  ")
  );
  return [filled, ...guesses].join("\n");
}
