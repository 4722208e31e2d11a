/**
 * The BERT that a task begins with, and the flags that say which.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { createBertConfig } from "../formats/bert_config.ts";
import { type BertHeadsSettings, readBertConfig } from "../formats/huggingface_bert.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { Bert } from "../models/bert.ts";
import { loadBert } from "../models/files.ts";
import { freshWeights } from "../models/weights.ts";
import { freeze } from "../nn/names.ts";
import { layerwiseRates } from "../optim/layer_rates.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { checkpointStep } from "../training/checkpoint.ts";
import type { TrainSettings } from "../training/loop.ts";
import { BERT_PRESETS, initializerRange } from "./bert_presets.ts";
import { checkChoice } from "./choices.ts";
import { real, whole } from "./numbers.ts";
import { type RunFlags, trainSettings } from "./run_flags.ts";
import { beginRun } from "./run_task.ts";
import { scratchTokenizer } from "./scratch_classifier.ts";

/** Values of those flags. */
export interface BaseFlags extends RunFlags {
  /** What is learnt from. */
  data: string;
  /** Held-out examples. */
  validation?: string;
  /** Part of the documents held out where there are none. */
  validationFraction: number;
  /** Held-out examples looked at while training. */
  evaluateExamples: number;
  /** A model to begin with. */
  model?: string;
  /** `scratch`, or a model to begin with. */
  from?: string;
  /** Sizes by name of a model from scratch. */
  preset: string;
  /** Its tokenizer: a directory; learnt from the texts if absent. */
  tokenizer?: string;
  /** V of a new tokenizer. */
  vocabulary: number;
  /** Dropout of a model from scratch. */
  dropout: number;
  /** T at most. */
  sequence?: number;
  /** Parameters that are not trained. */
  freeze?: string;
  /** Learning rate of each layer below the next. */
  layerDecay: number;
}

/** Adds the flags to a command. */
export function addBaseFlags(command: Command): Command {
  return command
    .option("--validation <source>", "held-out examples; a part of --data if absent")
    .option("--validation-fraction <x>", "part of the documents held out", real(0, 0.9), 0.1)
    .option(
      "--evaluate-examples <n>",
      "held-out examples looked at while training; all of them at the end",
      whole(1),
      1000,
    )
    .option("--model <directory>", "the BERT to begin with")
    .option("--from <what>", "scratch: begin with random weights")
    .option(
      "--preset <name>",
      `sizes from scratch: ${Object.keys(BERT_PRESETS).join(", ")}`,
      "tiny",
    )
    .option("--tokenizer <directory>", "tokenizer from scratch; learnt from the texts if absent")
    .option("--vocabulary <n>", "pieces of a new tokenizer", whole(6), 4000)
    .option("--dropout <p>", "dropout of a model from scratch", real(0, 0.99), 0.1)
    .option(
      "--sequence <n>",
      "tokens of a sequence at most, beyond the model's context too; its context if absent",
      whole(8),
    )
    .option("--freeze <names>", "parameters to leave as they are, by commas, such as embeddings")
    .option("--layer-decay <x>", "learning rate of each layer below the next", real(0.01, 1), 1);
}

/**
 * The directory of the model to begin with; none from scratch. Its files are looked at before anything
 * is replaced.
 *
 * @throws {VitrailError} if nothing says what to begin with, or it is no BERT
 */
export async function baseOf(flags: BaseFlags): Promise<string | undefined> {
  const { model, from, resume, out, preset } = flags;
  checkChoice("preset", preset, Object.keys(BERT_PRESETS));
  const base = model ?? (from === "scratch" ? undefined : from);
  if (base === undefined && from !== "scratch") {
    throw new VitrailError(
      resume
        ? `Cannot resume ${out}: it holds no run; begin one with --model DIRECTORY or --from scratch`
        : "Cannot fine-tune without a model: give --model DIRECTORY, or --from scratch",
    );
  }
  // A run that goes on has a model of its own.
  if (base !== undefined && !(resume && checkpointStep(out) !== undefined)) {
    readBertConfig(base);
    await loadTokenizer(base);
  }
  return base;
}

/** The tokenizer of a run: its own, the model's, a given one, or one learnt from its texts. */
async function baseTokenizer(
  flags: BaseFlags,
  { base, texts }: { base: string | undefined; texts: () => string[] },
): Promise<Tokenizer> {
  if (flags.resume) return await loadTokenizer(flags.out);
  const given = base ?? flags.tokenizer;
  const tokenizer = given === undefined
    ? await scratchTokenizer(texts(), { ...flags, family: "bert" })
    : await loadTokenizer(given);
  writeFileAtomic(`${flags.out}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
  return tokenizer;
}

/**
 * The model of a run, with the heads of its task.
 *
 * @throws {VitrailError} if a resumed run has other heads
 */
function baseModel(
  device: Device,
  flags: BaseFlags,
  { base, tokenizer, heads }: {
    base: string | undefined;
    tokenizer: Tokenizer;
    heads: BertHeadsSettings;
  },
): Bert {
  const { out, seed, dropout } = flags;
  if (flags.resume) {
    const model = loadBert(device, out);
    if (JSON.stringify(model.heads.settings) === JSON.stringify(heads)) return model;
    throw new VitrailError(
      `Cannot resume ${out}: its head is ${describe(model.heads.settings)}, wanted ` +
        `${describe(heads)} for ${flags.data}`,
    );
  }
  if (base !== undefined) {
    return loadBert(device, base, { heads, seed, contextLength: flags.sequence });
  }
  const { layers, heads: attentionHeads, channels, sequence } = BERT_PRESETS[flags.preset];
  const config = createBertConfig({
    vocabularySize: tokenizer.vocabularySize,
    contextLength: flags.sequence ?? 2 * sequence,
    channels,
    layers,
    heads: attentionHeads,
  }, {
    padId: tokenizer.tokenToId("[PAD]") ?? 0,
    hiddenDropout: dropout,
    attentionDropout: dropout,
    initializerRange: initializerRange(channels),
  });
  return new Bert(device, config, { heads, source: freshWeights(seed) });
}

/**
 * Begins a run or goes on with it: its directory, its tokenizer, its model on a device that is given
 * back when `use` has ended.
 */
export async function withBase<Flags extends BaseFlags, Result>(
  asked: Flags,
  { base, texts, heads }: {
    base: string | undefined;
    texts: () => string[];
    heads: BertHeadsSettings;
  },
  use: (
    model: Bert,
    run: { flags: Flags & { resume: boolean }; tokenizer: Tokenizer; fromScratch: boolean },
  ) => Promise<Result>,
): Promise<Result> {
  const flags = { ...asked, resume: beginRun(asked) };
  const tokenizer = await baseTokenizer(flags, { base, texts });
  const device = await openDevice();
  try {
    const model = baseModel(device, flags, { base, tokenizer, heads });
    return await use(model, { flags, tokenizer, fromScratch: base === undefined });
  } finally {
    device.destroy();
  }
}

function describe(heads: BertHeadsSettings): string {
  return "labels" in heads ? `${heads.kind} (${heads.labels.join(", ")})` : heads.kind;
}

/**
 * Freezes what is not to be trained, and settles rates and rhythm.
 *
 * @throws {VitrailError} if no parameter has such a name
 */
export function baseSettings(
  model: Bert,
  flags: BaseFlags,
  { fromScratch }: { fromScratch: boolean },
): TrainSettings {
  const { freeze: patterns, layerDecay } = flags;
  if (patterns !== undefined) {
    const names = patterns.split(",").map((name) => name.trim()).filter((name) => name !== "");
    freeze(model.parameters, names);
  }
  return {
    ...trainSettings(flags, flags.learningRate ?? baseRate(model, fromScratch)),
    ...layerDecay < 1 ? { rateOf: layerwiseRates(model.parameters, layerDecay) } : {},
  };
}

/** BERT's 5e-5 at 768 channels (appendix A.3), more for smaller models, and thrice that from scratch. */
function baseRate({ config }: Bert, fromScratch: boolean): number {
  return Math.min(1e-3, (fromScratch ? 3 : 1) * 5e-5 * 768 / config.channels);
}

/** As many examples as asked for, evenly from all of them. */
export function someOf<T>(examples: readonly T[], count: number): T[] {
  if (examples.length <= count) return [...examples];
  return Array.from({ length: count }, (_, i) => examples[Math.floor(i * examples.length / count)]);
}
