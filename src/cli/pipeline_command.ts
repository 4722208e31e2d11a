/**
 * `vitrail pipeline`: a classifier reads a text, and a GPT writes on the label that it found.
 *
 * @module
 */
import type { Command } from "commander";
import { readPromptTemplates } from "../data/completions/prompt_templates.ts";
import { checkStops } from "../generation/text_writer.ts";
import { classifyAndWrite, type PipelineResult } from "../generation/pipeline.ts";
import { openDevice } from "../gpu/device.ts";
import { loadTextClassifier } from "../inference/text_classifier.ts";
import { loadAdaptedGpt } from "../models/adapted_models.ts";
import { loadTokenizer } from "../tokenizers/tokenizer.ts";
import { checkGiven, givenTexts, type TextFlags } from "./given_texts.ts";
import { checkModelFiles } from "./model_files.ts";
import { real, whole } from "./numbers.ts";
import { printNotice, printText } from "./printer.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";

/** Values of the flags. */
interface Flags extends TextFlags {
  /** Use the winners of a tuner. */
  tune: boolean;
  classifier: string;
  classifierAdapter?: string;
  writer: string;
  adapter?: string;
  template: string;
  maxNewTokens: number;
  greedy: boolean;
  temperature: number;
  topK: number;
  topP: number;
  repetitionPenalty: number;
  stop: string[];
  seed: number;
  json: boolean;
}

/** Adds the command to the program. */
export function addPipeline(program: Command): void {
  addTuneFlag(program.command("pipeline"))
    .description("find the label of a text, and write on a prompt made for that label")
    .argument("[text...]", "the texts; see --data for files")
    .option("--classifier <directory>", "the model that reads: see finetune classify")
    .option("--classifier-adapter <directory>", "a LoRA adapter of it")
    .option("--writer <directory>", "the GPT that writes")
    .option("--adapter <directory>", "a LoRA adapter of the writer")
    .requiredOption(
      "--template <file>",
      "a prompt with {label}, {text} and {score}; or .json with one for each label, * for others",
    )
    .option("--data <source>", "texts: .csv, .tsv, .jsonl, a line each of another file, or -")
    .option("--text-field <name>", "field or column of the text", "text")
    .option("--max-new-tokens <n>", "tokens to write", whole(1), 60)
    .option("--greedy", "always take the likeliest token", false)
    .option("--temperature <x>", "divides the logits; 0 is greedy", real(0), 0.8)
    .option("--top-k <n>", "draw from the n likeliest; 0 for all", whole(0), 40)
    .option("--top-p <p>", "draw from the fewest that reach this probability", real(0, 1), 1)
    .option("--repetition-penalty <x>", "makes ids that occurred less likely", real(0.01), 1)
    .option("--stop <text...>", "end before this text", [])
    .option("--seed <n>", "seed of the draws", whole(0), 0)
    .option("--json", "print a JSON object for each text", false)
    .action(async (texts: string[], flags: Flags) => {
      await runPipeline(texts, flags);
    });
}

async function runPipeline(given: string[], flags: Flags): Promise<void> {
  checkGiven(given, flags, "write on");
  checkStops(flags.stop);
  const templates = readPromptTemplates(flags.template);
  checkModelFiles(flags.writer);
  const tokenizer = await loadTokenizer(flags.writer);
  const device = await openDevice();
  useTuned(device, flags);
  const say = printer(flags.json);
  try {
    const classifier = await loadTextClassifier(device, flags.classifier, {
      adapter: flags.classifierAdapter,
    });
    const { model } = loadAdaptedGpt(device, flags.writer, flags.adapter);
    const parts = { classifier, model, tokenizer, templates };
    const options = { ...flags, temperature: flags.greedy ? 0 : flags.temperature };
    const write = async (text: string): Promise<void> => {
      say.end(await classifyAndWrite(text, parts, { ...options, ...say.live }));
    };
    for await (const [text] of givenTexts(given, flags, 1)) await write(text);
  } finally {
    device.destroy();
  }
}

/** Shows a text as it is written, or each as JSON when it is done. */
function printer(json: boolean) {
  const live = {
    onPrompt(
      { label, score, prompt, truncated, shortened }: Omit<PipelineResult, "written">,
    ): void {
      printText(`${label} ${score.toFixed(4)}\n${prompt}`);
      if (truncated) printNotice("The text is longer than the classifier's context: cut there");
      if (shortened) printNotice("The text is longer than the prompt has room for: cut there");
    },
    onText: (text: string): void => printText(text),
  };
  return {
    live: json ? {} : live,
    end: (result: PipelineResult): void => printText(json ? JSON.stringify(result) + "\n" : "\n\n"),
  };
}
