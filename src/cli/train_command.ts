/**
 * `vitrail train`: from a text to a model directory.
 *
 * @module
 */
import type { Command } from "commander";
import { BatchSampler, sequentialBatches } from "../data/tokens/batches.ts";
import { createGptConfig, type GptConfig } from "../formats/gpt_config.ts";
import { readConfig } from "../formats/huggingface_gpt2.ts";
import { openDevice } from "../gpu/device.ts";
import { endTokens, nameEnd } from "../generation/end_tokens.ts";
import { generate } from "../generation/generate.ts";
import { loadGpt } from "../models/files.ts";
import { Gpt } from "../models/gpt.ts";
import { freshWeights } from "../models/weights.ts";
import { ghostWeights } from "../profiling/step_plan.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import type { TrainResult } from "../training/loop.ts";
import { languageModelling } from "../training/task.ts";
import { checkChoice } from "./choices.ts";
import { checkTrainable } from "./model_files.ts";
import { tellPlan, variedIds } from "./dry_run.ts";
import { real, whole } from "./numbers.ts";
import { PRESETS } from "./presets.ts";
import { printNotice } from "./printer.ts";
import { addDryRunFlags, addRunFlags, trainSettings } from "./run_flags.ts";
import { beginRun, runTask, trainAction } from "./run_task.ts";
import { checkData, datasetFor, tokenizerFor, vocabularyOf } from "./train_data.ts";
import type { TrainFlags } from "./train_flags.ts";

/** Adds the command to the program. */
export function addTrain(program: Command): void {
  const command = program.command("train")
    .description("train a GPT on a text and write it as a Hugging Face directory")
    .option("--data <source>", "text file, folder, .jsonl, - or a corpus name")
    .option("--preset <name>", `sizes: ${Object.keys(PRESETS).join(", ")}`, "nano")
    .option("--layers <n>", "blocks", whole(1))
    .option("--heads <n>", "heads of each block", whole(1))
    .option("--channels <n>", "width of the residual stream", whole(1))
    .option("--sequence <n>", "tokens in a sequence; also the model's context", whole(1))
    .option("--dropout <p>", "dropout everywhere", real(0, 0.99), 0)
    .option("--positions <kind>", "learned, sinusoidal or none", "learned")
    .option(
      "--tokenizer <kind or directory>",
      "bpe, characters, or a directory with a tokenizer",
      "bpe",
    )
    .option("--vocabulary <n>", "tokens of a new tokenizer", whole(3), 1024)
    .option("--validation-fraction <x>", "part of the text held out", real(0, 0.9), 0.1)
    .option("--evaluate-batches <n>", "batches of an evaluation", whole(1), 20)
    .option("--samples <n>", "tokens of the sample at each evaluation, 0 for none", whole(0), 60)
    .option("--checkpointing", "recompute blocks in the backward pass to save memory", false)
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--from <directory>", "begin with the weights and tokenizer of a model");
  addDryRunFlags(addRunFlags(command, { steps: 1000 })).action(
    (_flags: TrainFlags, command: Command) =>
      trainAction<TrainFlags>(
        command,
        (flags) => flags.dryRun ? planTrain(flags) : runTrain(flags),
      ),
  );
}

/** The sizes that the flags ask for, and the model that they make with a vocabulary. */
function sizesOf(asked: TrainFlags) {
  checkChoice("preset", asked.preset, Object.keys(PRESETS));
  const size = { ...PRESETS[asked.preset], ...defined(asked) };
  const configure = (vocabularySize: number, endOfText?: number): GptConfig =>
    createGptConfig({
      vocabularySize,
      contextLength: size.sequence,
      channels: size.channels,
      layers: size.layers,
      heads: size.heads,
    }, {
      positions: asked.positions,
      embeddingDropout: asked.dropout,
      attentionDropout: asked.dropout,
      residualDropout: asked.dropout,
      endOfTextId: endOfText,
      beginOfTextId: endOfText,
    });
  return { size, configure };
}

/** Says what the run would take. */
async function planTrain(flags: TrainFlags): Promise<void> {
  const { size, configure } = sizesOf(flags);
  const { sequence, batch, learningRate } = size;
  const known = flags.resume ? flags.out : flags.from;
  const config = known ? readConfig(known) : configure(await vocabularyOf(flags));
  const { layers, heads, channels, vocabularySize } = config;
  await tellPlan({
    title: `GPT: ${layers} layers, C ${channels}, ${heads} heads, V ${vocabularySize}`,
    batch,
    sequence,
    memory: flags.memory,
    time: flags.time,
    evaluateBatches: flags.evaluateBatches,
    settings: trainSettings(flags, learningRate),
    build: (ghost, batch) => {
      const model = new Gpt(ghost, config, ghostWeights);
      model.checkpointing = flags.checkpointing;
      const places = batch * sequence;
      return {
        task: languageModelling(model, sequence),
        batch: { inputs: variedIds(places, vocabularySize), targets: new Int32Array(places) },
      };
    },
  });
}

/** Trains, or goes on training where there is a checkpoint to go on from. */
export async function runTrain(asked: TrainFlags): Promise<TrainResult> {
  const { size, configure } = sizesOf(asked);
  // All that can be told is told now: what follows replaces files, and may take long.
  configure(asked.vocabulary);
  if (!asked.resume) await checkData(asked);
  if (asked.from !== undefined) checkTrainable(asked.from);
  const resume = beginRun(asked);
  const flags = { ...asked, resume };
  const tokenizer = await tokenizerFor(flags, size.sequence);
  const dataset = await datasetFor(flags, tokenizer);
  const device = await openDevice();
  let model: Gpt;
  if (resume) {
    model = loadGpt(device, flags.out);
  } else if (flags.from) {
    model = loadGpt(device, flags.from);
  } else {
    const config = configure(tokenizer.vocabularySize, tokenizer.endOfText);
    model = new Gpt(device, config, freshWeights(flags.seed));
  }
  nameEnd(model, tokenizer);
  model.checkpointing = flags.checkpointing;
  const { batch, sequence } = size;
  using trainTokens = dataset.open("train");
  using heldOut = dataset.open("validation");
  const sampler = new BatchSampler(trainTokens, { batch, sequence, seed: flags.seed });
  printNotice(
    `${model.parameterCount.toLocaleString("en")} parameters, ` +
      `${dataset.train.tokens.toLocaleString("en")} tokens to train on, ` +
      `${dataset.validation.tokens.toLocaleString("en")} held out, on ${device.description}`,
  );
  try {
    return await runTask(flags, {
      task: languageModelling(model, sequence),
      settings: trainSettings(flags, size.learningRate),
      resume,
      batchAt: (n) => sampler.at(n),
      validation: heldOut.length > 1
        ? () => sequentialBatches(heldOut, { batch, sequence, limit: flags.evaluateBatches })
        : undefined,
      config: { ...model.config, parameters: model.parameterCount, data: flags.data },
      tokensPerStep: batch * sequence * flags.accumulation,
      sample: async () => flags.samples ? await sampleText(model, tokenizer, flags) : undefined,
      command: "train",
      wrote: "model.safetensors, tokenizer.json, report.html",
    });
  } finally {
    device.destroy();
  }
}

function defined<T extends object>(flags: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(flags).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

async function sampleText(model: Gpt, tokenizer: Tokenizer, flags: TrainFlags): Promise<string> {
  const begin = tokenizer.endOfText ?? 0;
  const [ids] = await generate(model, [begin], {
    maxNewTokens: Math.min(flags.samples, model.config.contextLength - 1),
    temperature: 0.8,
    topK: 40,
    seed: flags.seed,
    stopIds: endTokens(model.config, tokenizer),
  });
  return tokenizer.decode(ids).trim();
}
