/**
 * `vitrail generate`: continue a text.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { endTokens } from "../generation/end_tokens.ts";
import { generate } from "../generation/generate.ts";
import { checkStops, TextWriter } from "../generation/text_writer.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import type { CacheFormat } from "../kernels/attention_decode.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { loadAdaptedGpt } from "../models/adapted_models.ts";
import { checkModelFiles, checkPrompt } from "./model_files.ts";
import { idList, real, whole } from "./numbers.ts";
import { print, printText } from "./printer.ts";
import { cacheOption, groupOption, packingFlags, weightsOption } from "./weight_flags.ts";
import { addTuneFlag, tuneFor } from "./tuning.ts";

interface GenerateFlags {
  model: string;
  adapter?: string;
  prompt?: string;
  ids?: number[];
  maxNewTokens?: number;
  greedy: boolean;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  stop: string[];
  samples: number;
  seed: number;
  weights?: string;
  group?: string;
  cache?: CacheFormat;
  json: boolean;
  tune: boolean;
}

/** Adds the command to the program. */
export function addGenerate(program: Command): void {
  addTuneFlag(program.command("generate"))
    .description("continue a text with a model of ours or of Hugging Face")
    .option("--model <directory>", "the model")
    .option("--adapter <directory>", "a LoRA adapter of it, ours or PEFT's")
    .option("--prompt <text>", "text to continue")
    .option("--ids <list>", "token ids to continue, such as 54,38,0: prints ids", idList)
    .option(
      "--max-new-tokens <n>",
      "tokens to add; 100 by default, or what the context has room for",
      whole(1),
    )
    .option("--greedy", "always take the likeliest token", false)
    .option("--temperature <x>", "divides the logits; 0 is greedy", real(0), 0.8)
    .option("--top-k <n>", "draw from the n likeliest; 0 for all", whole(0), 40)
    .option("--top-p <p>", "draw from the fewest that reach this probability", real(0, 1), 1)
    .option("--min-p <p>", "draw from those of this part of the largest probability", real(0, 1), 0)
    .option("--repetition-penalty <x>", "makes ids that occurred less likely", real(0.01), 1)
    .option("--stop <text...>", "end before this text", [])
    .option("--samples <n>", "continuations", whole(1), 1)
    .option("--seed <n>", "seed of the draws", whole(0), 0)
    .addOption(weightsOption())
    .addOption(groupOption())
    .addOption(cacheOption())
    .option("--json", "print one JSON object", false)
    .action(async (flags: GenerateFlags) => {
      const packing = packingFlags(flags);
      const prompt = await readPrompt(flags);
      const device = await openDevice();
      try {
        await run(flags, { device, packing, ...prompt });
      } finally {
        device.destroy();
      }
    });
}

/** A prompt's ids, and the tokenizer if there is one; checked before a GPU is asked for. */
async function readPrompt(
  flags: GenerateFlags,
): Promise<{ ids: ArrayLike<number>; tokenizer?: Tokenizer }> {
  if ((flags.prompt === undefined) === (flags.ids === undefined)) {
    throw new VitrailError("Cannot generate: give either --prompt TEXT or --ids 54,38,0");
  }
  checkStops(flags.stop);
  const config = checkModelFiles(flags.model, flags);
  // Ids need no tokenizer, but one that is there may say which of them ends a text.
  const loading = loadTokenizer(flags.model);
  const tokenizer = await (flags.ids ? loading.catch(() => undefined) : loading);
  const ids = flags.ids ?? tokenizer!.encode(flags.prompt!);
  // Nobody who asks for no number should be told that it is too large.
  const room = Math.max(1, config.contextLength - ids.length);
  flags.maxNewTokens ??= Math.min(100, room);
  checkPrompt(config, { ids, maxNewTokens: flags.maxNewTokens });
  return { ids, tokenizer };
}

async function run(
  flags: GenerateFlags,
  { device, packing, ids: prompt, tokenizer }: {
    device: Device;
    packing: ReturnType<typeof packingFlags>;
    ids: ArrayLike<number>;
    tokenizer?: Tokenizer;
  },
): Promise<void> {
  const { model } = loadAdaptedGpt(device, flags.model, flags.adapter, packing);
  const options = {
    ...flags,
    temperature: flags.greedy ? 0 : flags.temperature,
    stopIds: endTokens(model.config, tokenizer),
  };
  // The prompt's pass, and one that adds to it.
  const maxNewTokens = Math.min(2, flags.maxNewTokens!);
  await tuneFor(
    device,
    async () => void await generate(model, prompt, { ...options, maxNewTokens }),
    flags,
  );
  if (flags.ids) {
    const out = await generate(model, prompt, options);
    if (flags.json) print(JSON.stringify({ prompt, ids: out }));
    else for (const ids of out) print(ids.join(","));
    return;
  }
  const live = flags.samples === 1 && !flags.json;
  const show = (text: string): void => {
    if (live) printText(text);
  };
  show(flags.prompt!);
  const writers = Array.from(
    { length: flags.samples },
    () => new TextWriter(tokenizer!.stream(), { stop: flags.stop, onText: show }),
  );
  await generate(model, prompt, {
    ...options,
    onTokens: (sequence, ids) => {
      writers[sequence].push(ids);
      return writers[sequence].stopped;
    },
  });
  const texts = writers.map((writer) => writer.end());
  if (flags.json) {
    print(JSON.stringify({ prompt: flags.prompt, texts }));
  } else if (live) {
    show("\n");
  } else {
    texts.forEach((text, i) => printText(`--- ${i + 1}\n${flags.prompt}${text}\n`));
  }
}
