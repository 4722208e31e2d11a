/**
 * Flags of `vitrail generate`, and what they ask of a generation.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { VitrailError } from "../errors.ts";
import type { GenerateOptions } from "../generation/generate_options.ts";
import type { CacheFormat } from "../kernels/attention_decode.ts";
import { oneOf } from "./choices.ts";
import { idList, real, whole } from "./numbers.ts";
import { addTuneFlag } from "./tuning.ts";
import { cacheOption, groupOption, weightsOption } from "./weight_flags.ts";

/** Values of the flags. */
export interface GenerateFlags {
  model: string;
  adapter?: string;
  prompt?: string;
  prompts?: string;
  textField: string;
  batch: number;
  ids?: number[];
  maxNewTokens?: number;
  minNewTokens: number;
  greedy: boolean;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  /** Of `--no-repeat-ngram`, whose name the parser takes for the negation of this. */
  repeatNgram: number;
  beams: number;
  lengthPenalty: number;
  earlyStopping: "true" | "false" | "never";
  stop: string[];
  samples: number;
  seed: number;
  weights?: string;
  group?: string;
  cache?: CacheFormat;
  json: boolean;
  tune: boolean;
}

/** Flags that say how a token is drawn. */
const DRAWING = ["temperature", "topK", "topP", "minP"] as const;

/** Adds the flags to the command. */
export function addGenerateFlags(command: Command): Command {
  return addTuneFlag(command)
    .description("continue texts with a model of ours or of Hugging Face")
    .option("--model <directory>", "the model")
    .option("--adapter <directory>", "a LoRA adapter of it, ours or PEFT's")
    .option("--prompt <text>", "text to continue")
    .option(
      "--prompts <file>",
      "texts to continue, several in one pass: .jsonl, .csv, .tsv, a line each of another file, or -",
    )
    .option("--text-field <name>", "field or column of --prompts with the text", "prompt")
    .option("--batch <n>", "prompts of --prompts in one pass", whole(1), 8)
    .option("--ids <list>", "token ids to continue, such as 54,38,0: prints ids", idList)
    .option(
      "--max-new-tokens <n>",
      "tokens to add; 100 by default, or what the context has room for",
      whole(1),
    )
    .option("--min-new-tokens <n>", "tokens before which no text ends", whole(0), 0)
    .option("--greedy", "always take the likeliest token", false)
    .option("--temperature <x>", "divides the logits; 0 is greedy", real(0), 0.8)
    .option("--top-k <n>", "draw from the n likeliest; 0 for all", whole(0), 40)
    .option("--top-p <p>", "draw from the fewest that reach this probability", real(0, 1), 1)
    .option("--min-p <p>", "drop tokens below this fraction of the top probability", real(0, 1), 0)
    .option("--repetition-penalty <x>", "makes ids that occurred less likely", real(0.01), 1)
    .option("--no-repeat-ngram <n>", "no run of n tokens occurs twice; 0 allows it", whole(0), 0)
    .option("--beams <n>", "search n beams for the likeliest text; draws nothing", whole(1), 1)
    .option(
      "--length-penalty <x>",
      "exponent of the length that divides the score of a beam",
      real(-Infinity),
      1,
    )
    .addOption(
      new Option(
        "--early-stopping <when>",
        "end a beam search when as many texts ended as there are beams (true), when a better one is " +
          "unlikely (false), or when none can be better (never)",
      ).argParser(oneOf("true", "false", "never")).default("false"),
    )
    .option("--stop <text...>", "end before this text", [])
    .option("--samples <n>", "continuations of each prompt; of beams, the best", whole(1), 1)
    .option("--seed <n>", "seed of the draws", whole(0), 0)
    .addOption(weightsOption())
    .addOption(groupOption())
    .addOption(cacheOption())
    .option(
      "--json",
      "print a JSON object for each prompt, with the probabilities of what was written",
      false,
    );
}

/**
 * What the flags ask of a generation.
 *
 * @param command tells which flags were given
 * @throws {VitrailError} if beams are to be searched and drawn at once
 */
export function generateOptions(flags: GenerateFlags, command: Command): GenerateOptions {
  const { beams, greedy, earlyStopping, repeatNgram: noRepeatNgram } = flags;
  const { maxNewTokens, minNewTokens, repetitionPenalty, lengthPenalty, samples, seed, cache } =
    flags;
  const all = {
    ...{ maxNewTokens, minNewTokens, noRepeatNgram, repetitionPenalty, samples, seed, cache },
    ...{
      beams,
      lengthPenalty,
      earlyStopping: earlyStopping === "never" ? earlyStopping : earlyStopping === "true",
    },
  } as const;
  if (beams === 1) {
    const { topK, topP, minP } = flags;
    return { ...all, topK, topP, minP, temperature: greedy ? 0 : flags.temperature };
  }
  const given = DRAWING.filter((name) => command.getOptionValueSource(name) === "cli");
  if (given.length === 0) return all;
  const names = given.map((name) => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`);
  throw new VitrailError(
    `Cannot search ${beams} beams and draw at random: leave out ${names.join(" and ")}, or --beams`,
  );
}
