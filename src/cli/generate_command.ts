/**
 * `vitrail generate`: continue texts.
 *
 * @module
 */
import type { Command } from "commander";
import { readTexts } from "../data/sources/texts.ts";
import { VitrailError } from "../errors.ts";
import type { GptConfig } from "../formats/gpt_config.ts";
import { endTokens } from "../generation/end_tokens.ts";
import { generate, generateSequences } from "../generation/generate.ts";
import { checkOptions, type GenerateOptions } from "../generation/generate_options.ts";
import { checkStops } from "../generation/text_writer.ts";
import { writeTexts, type WrittenText } from "../generation/write.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { loadAdaptedGpt } from "../models/adapted_models.ts";
import type { Gpt } from "../models/gpt.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { addGenerateFlags, type GenerateFlags, generateOptions } from "./generate_flags.ts";
import { tellEmpty } from "./given_texts.ts";
import { checkModelFiles, checkPrompt } from "./model_files.ts";
import { print, printText } from "./printer.ts";
import { tuneFor } from "./tuning.ts";
import { packingFlags } from "./weight_flags.ts";

/** What is continued. */
interface Given {
  /** The texts; none if ids were given. */
  texts?: string[];
  /** Ids of each. */
  ids: ArrayLike<number>[];
  /** Absent if ids were given and the model has none. */
  tokenizer?: Tokenizer;
}

/** Adds the command to the program. */
export function addGenerate(program: Command): void {
  addGenerateFlags(program.command("generate")).action(
    async (flags: GenerateFlags, command: Command) => {
      const packing = packingFlags(flags);
      const options = generateOptions(flags, command);
      checkStops(flags.stop);
      const config = checkModelFiles(flags.model, flags);
      const given = await readPrompts(flags, config);
      checkOptions(config, given.ids, options);
      const device = await openDevice();
      try {
        const { model } = loadAdaptedGpt(device, flags.model, flags.adapter, packing);
        await tune(device, model, { flags, options, given });
        await (given.texts
          ? write(model, { flags, options, given })
          : writeIds(model, { flags, options, given }));
      } finally {
        device.destroy();
      }
    },
  );
}

/** Prompts with their ids, checked before a GPU is asked for. */
async function readPrompts(flags: GenerateFlags, config: GptConfig): Promise<Given> {
  const { prompt, prompts, ids: listed, model } = flags;
  if ([prompt, prompts, listed].filter((one) => one !== undefined).length !== 1) {
    throw new VitrailError(
      "Cannot generate: give one of --prompt TEXT, --prompts FILE and --ids 54,38,0",
    );
  }
  // Ids need no tokenizer, but one that is there may say which of them ends a text.
  const loading = loadTokenizer(model);
  const tokenizer = await (listed ? loading.catch(() => undefined) : loading);
  const texts = listed ? undefined : prompts === undefined ? [prompt!] : await readAll(flags);
  const ids = listed ? [listed] : texts!.map((text) => tokenizer!.encode(text));
  // Of several, the one that does not fit is named below.
  if (ids.length === 1) checkPrompt(config, { ids: ids[0], maxNewTokens: flags.maxNewTokens ?? 1 });
  return { texts, ids, tokenizer };
}

async function readAll({ prompts, textField }: GenerateFlags): Promise<string[]> {
  const texts: string[] = [];
  let empty = 0;
  for await (const text of readTexts(prompts!, { textField, onEmpty: () => empty++ })) {
    texts.push(text);
  }
  tellEmpty(empty, prompts!);
  return texts;
}

/** A generation that is asked for. */
interface Asked {
  flags: GenerateFlags;
  options: GenerateOptions;
  given: Given;
}

async function tune(device: Device, model: Gpt, { flags, options, given }: Asked): Promise<void> {
  const prompts = given.ids.slice(0, flags.batch);
  // The prompts' pass, and one that adds to it.
  const room = model.config.contextLength - Math.max(...prompts.map(({ length }) => length));
  const maxNewTokens = Math.min(2, flags.maxNewTokens ?? 2, room);
  const trial = { ...options, maxNewTokens, minNewTokens: 0 };
  await tuneFor(device, async () => void await generate(model, prompts, trial), flags);
}

/** Continues ids, and prints ids. */
async function writeIds(model: Gpt, { flags, options, given }: Asked): Promise<void> {
  const stopIds = endTokens(model.config, given.tokenizer);
  const [prompt] = given.ids;
  if (flags.json) {
    const [sequences] = await generateSequences(model, [prompt], { ...options, stopIds });
    print(JSON.stringify({ prompt, ids: sequences.map(({ ids }) => ids), sequences }));
    return;
  }
  const found = await generate(model, prompt, { ...options, stopIds });
  for (const ids of found) print(ids.join(","));
}

/** Continues texts, and prints texts: a single one as it is written, others when they are done. */
async function write(model: Gpt, { flags, options, given }: Asked): Promise<void> {
  const { ids, texts = [] } = given;
  const parts = { model, tokenizer: given.tokenizer! };
  const { stop, batch, samples, json } = flags;
  const live = flags.prompts === undefined && samples === 1 && !json;
  if (live) {
    printText(texts[0]);
    await writeTexts(parts, ids, { ...options, stop, onText: (piece) => printText(piece) });
    printText("\n");
    return;
  }
  let number = 0;
  for (let from = 0; from < ids.length; from += batch) {
    const written = await writeTexts(parts, ids.slice(from, from + batch), { ...options, stop });
    written.forEach((own, p) => {
      const prompt = texts[from + p];
      if (json) print(JSON.stringify(described(prompt, own)));
      else for (const { text } of own) printText(`--- ${++number}\n${prompt}${text}\n`);
    });
  }
}

function described(prompt: string, sequences: WrittenText[]): object {
  return { prompt, texts: sequences.map(({ text }) => text), sequences };
}
