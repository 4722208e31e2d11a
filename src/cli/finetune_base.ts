/**
 * The BERT that a task begins with, and the flags that say which.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { createBertConfig } from "../formats/bert_config.ts";
import {
  type BertHeadsSettings,
  readBertConfig,
  writeBertConfig,
} from "../formats/huggingface_bert.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { trainedWhole } from "../models/adapted_models.ts";
import { Bert } from "../models/bert.ts";
import { loadBert } from "../models/files.ts";
import { freshWeights } from "../models/weights.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import type { TrainSettings } from "../training/loop.ts";
import { BERT_PRESETS, initializerRange, SCRATCH_DROPOUT } from "./bert_presets.ts";
import { checkChoice } from "./choices.ts";
import {
  planFinetune,
  type Planned,
  plannedTokenizer,
  type TokenizerSizes,
} from "./finetune_plan.ts";
import { real, whole } from "./numbers.ts";
import { beginRun, goesOn } from "./run_task.ts";
import { scratchTokenizer } from "./scratch_classifier.ts";
import { addPartFlags, checkPart, type PartFlags, taskRates, TrainedPart } from "./trained_part.ts";

/** Values of those flags. */
export interface BaseFlags extends PartFlags {
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
  dropout?: number;
  /** T at most. */
  sequence?: number;
}

/** Adds the flags to a command. */
export function addBaseFlags(command: Command): Command {
  command
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
    .option(
      "--dropout <p>",
      "dropout everywhere; if absent the model's own, or 0.1 from scratch",
      real(0, 0.99),
    )
    .option(
      "--sequence <n>",
      "tokens of a sequence at most, beyond the model's context too; its context if absent",
      whole(8),
    );
  return addPartFlags(command);
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
  checkPart(flags, base);
  // A run that goes on has a model of its own, unless it trains an adapter.
  if (base !== undefined && (flags.loraRank > 0 || !goesOn(flags))) {
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
  return given === undefined
    ? await scratchTokenizer(texts(), { ...flags, family: "bert" })
    : await loadTokenizer(given);
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
    tokenizer: TokenizerSizes;
    heads: BertHeadsSettings;
  },
): Bert {
  const { out, seed, dropout } = flags;
  if (flags.resume) {
    const { heads: own } = readBertConfig(out);
    if (JSON.stringify(own) !== JSON.stringify(heads)) {
      throw new VitrailError(
        `Cannot resume ${out}: its head is ${describe(own)}, wanted ${describe(heads)} for ` +
          flags.data,
      );
    }
    if (flags.loraRank === 0) return loadBert(device, out);
  }
  if (base !== undefined) {
    return loadBert(device, base, { heads, seed, contextLength: flags.sequence, dropout });
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
    hiddenDropout: dropout ?? SCRATCH_DROPOUT,
    attentionDropout: dropout ?? SCRATCH_DROPOUT,
    initializerRange: initializerRange(channels),
  });
  return new Bert(device, config, { heads, source: freshWeights(seed) });
}

/** What a fine-tuning has to hand. */
export interface Begun<Flags> {
  /** The flags; `resume` says whether the run goes on from a checkpoint. */
  flags: Flags & { resume: boolean };
  /** The tokenizer. */
  tokenizer: Tokenizer;
  /** What of the model is trained. */
  part: TrainedPart;
  /** Rates and rhythm. */
  settings: TrainSettings;
}

/**
 * Begins a run or goes on with it: its directory, its tokenizer, its model on a device that is given
 * back when `use` has ended. With `--dry-run` only says what `plan` would take.
 *
 * @throws {VitrailError} if no parameter or layer has a name that was asked for, before the directory
 * of a run on a given model is touched
 */
export async function withBase<Flags extends BaseFlags, B, Result>(
  asked: Flags,
  { base, task, texts, heads, plan }: {
    base: string | undefined;
    task: "tag" | "answer";
    texts: () => string[];
    heads: BertHeadsSettings;
    plan: (model: Bert) => Pick<Planned<B>, "task" | "batchOf">;
  },
  use: (model: Bert, run: Begun<Flags>) => Promise<Result>,
): Promise<Result | undefined> {
  const flags = { ...asked, resume: goesOn(asked) };
  const fromScratch = base === undefined;
  const beginPart = (model: Bert): { part: TrainedPart; settings: TrainSettings } => {
    const part = new TrainedPart(model, flags, {
      family: "bert",
      base,
      ...trainedWhole(task),
      describe: (directory) => writeBertConfig(directory, { config: model.config, heads }),
    });
    return { part, settings: part.settings(taskRates(model.config, { fromScratch })) };
  };
  if (flags.dryRun) {
    const given = flags.resume ? flags.out : base ?? flags.tokenizer;
    const tokenizer = await plannedTokenizer(given, flags.vocabulary);
    const { batch } = BERT_PRESETS[flags.preset];
    return void await planFinetune({ ...flags, batch: flags.batch ?? batch }, (device) => {
      const model = baseModel(device, flags, { base, tokenizer, heads });
      const { config } = model;
      const sequence = Math.min(flags.sequence ?? config.contextLength, config.contextLength);
      return { config, ...beginPart(model), ...plan(model), sequence };
    });
  }
  // Learning a tokenizer takes long: that nothing can be written is told before.
  if (fromScratch) beginRun(asked);
  const tokenizer = await baseTokenizer(flags, { base, texts });
  const device = await openDevice();
  try {
    const model = baseModel(device, flags, { base, tokenizer, heads });
    const { part, settings } = beginPart(model);
    if (!fromScratch) beginRun(asked);
    if (!flags.resume) {
      saveTokenizer(flags.out, tokenizer, model.config);
    }
    return await use(model, { flags, tokenizer, part, settings });
  } finally {
    device.destroy();
  }
}

function describe(heads: BertHeadsSettings): string {
  return "labels" in heads ? `${heads.kind} (${heads.labels.join(", ")})` : heads.kind;
}

/** As many examples as asked for, evenly from all of them. */
export function someOf<T>(examples: readonly T[], count: number): T[] {
  if (examples.length <= count) return [...examples];
  return Array.from({ length: count }, (_, i) => examples[Math.floor(i * examples.length / count)]);
}
