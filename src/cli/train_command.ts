/**
 * `vitrail train`: from a text to a model directory.
 *
 * @module
 */
import type { Command } from "commander";
import { BatchSampler, sequentialBatches } from "../data/batches.ts";
import { readDocuments } from "../data/documents.ts";
import { type Dataset, openDataset, tokenizeCorpus } from "../data/shards.ts";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { createGptConfig, type GptConfig } from "../formats/gpt_config.ts";
import { readJsonObject } from "../formats/json_file.ts";
import { openDevice } from "../gpu/device.ts";
import { generate } from "../generation/generate.ts";
import { Gpt } from "../models/gpt.ts";
import { freshWeights } from "../models/weights.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { trainBytePairTokenizer } from "../tokenizers/train_bpe.ts";
import { trainCharacterTokenizer } from "../tokenizers/train_characters.ts";
import { loadGpt } from "../training/checkpoint.ts";
import { train, type TrainResult } from "../training/loop.ts";
import { MetricsFile, readMetrics } from "../training/metrics.ts";
import { ProgressBar } from "../training/progress.ts";
import { writeReport } from "../training/report.ts";
import { real, whole } from "./numbers.ts";
import { PRESETS } from "./presets.ts";

/** Everything that decides a run; kept in its directory as `training.json`. */
export interface TrainFlags {
  data: string;
  out: string;
  steps: number;
  preset: string;
  layers?: number;
  heads?: number;
  channels?: number;
  sequence?: number;
  batch?: number;
  learningRate?: number;
  minimumLearningRate?: number;
  warmup?: number;
  schedule: "cosine" | "linear" | "constant";
  weightDecay: number;
  clip: number;
  accumulation: number;
  dropout: number;
  positions: GptConfig["positions"];
  tokenizer: string;
  vocabulary: number;
  validationFraction: number;
  evaluateEvery?: number;
  evaluateBatches: number;
  saveEvery?: number;
  patience: number;
  samples: number;
  checkpointing: boolean;
  textField: string;
  from?: string;
  seed: number;
  config?: string;
  resume?: boolean;
}

/** Adds the command to the program. */
export function addTrain(program: Command): void {
  program.command("train")
    .description("train a GPT on a text and write it as a Hugging Face directory")
    .option("--data <source>", "text file, folder, .jsonl, - or a corpus name")
    .requiredOption("--out <directory>", "where the model goes")
    .option("--steps <n>", "updates", whole(1), 1000)
    .option("--preset <name>", `sizes: ${Object.keys(PRESETS).join(", ")}`, "nano")
    .option("--layers <n>", "blocks", whole(1))
    .option("--heads <n>", "heads of each block", whole(1))
    .option("--channels <n>", "width of the residual stream", whole(1))
    .option("--sequence <n>", "tokens in a sequence; also the model's context", whole(1))
    .option("--batch <n>", "sequences in a micro-step", whole(1))
    .option("--accumulation <n>", "micro-steps in a step", whole(1), 1)
    .option("--learning-rate <x>", "highest learning rate", real(0))
    .option("--minimum-learning-rate <x>", "learning rate at the end", real(0))
    .option("--warmup <n>", "steps of warm-up", whole(0))
    .option("--schedule <kind>", "cosine, linear or constant", "cosine")
    .option("--weight-decay <x>", "decoupled weight decay", real(0), 0.1)
    .option("--clip <x>", "largest gradient norm, 0 for none", real(0), 1)
    .option("--dropout <p>", "dropout everywhere", real(0, 0.99), 0)
    .option("--positions <kind>", "learned, sinusoidal or none", "learned")
    .option("--tokenizer <kind>", "bpe, characters, or a directory with a tokenizer", "bpe")
    .option("--vocabulary <n>", "tokens of a new tokenizer", whole(3), 1024)
    .option("--validation-fraction <x>", "part of the text held out", real(0, 0.9), 0.1)
    .option("--evaluate-every <n>", "steps between evaluations", whole(1))
    .option("--evaluate-batches <n>", "batches of an evaluation", whole(1), 20)
    .option("--save-every <n>", "steps between checkpoints", whole(1))
    .option("--patience <n>", "stop after so many evaluations without improvement", whole(0), 0)
    .option("--samples <n>", "tokens of the sample at each evaluation, 0 for none", whole(0), 60)
    .option("--checkpointing", "recompute blocks in the backward pass to save memory", false)
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--from <directory>", "begin with the weights and tokenizer of a model")
    .option("--seed <n>", "seed of weights, order and dropout", whole(0), 0)
    .option("--config <file>", "JSON file with any of these flags; flags override it")
    .option("--resume", "continue from the checkpoint in --out")
    .action(async (_flags: TrainFlags, command: Command) => {
      await runTrain(settle(command));
    });
}

/** Flags, over the file of `--config`, over the run that `--resume` continues, over defaults. */
function settle(command: Command): TrainFlags {
  const flags = command.opts<TrainFlags>();
  const file = flags.resume ? `${flags.out}/training.json` : flags.config;
  const stored = file ? readJsonObject(file) as unknown as Partial<TrainFlags> : {};
  for (const [name, value] of Object.entries(stored)) {
    if (!command.options.some((o) => o.attributeName() === name)) {
      throw new VitrailError(`Cannot use ${file}: it sets ${name}, which is no flag of train`);
    }
    const source = command.getOptionValueSource(name);
    if (source === "default" || source === undefined) Object.assign(flags, { [name]: value });
  }
  if (!flags.data) throw new VitrailError("Cannot train without text: give --data FILE");
  return flags;
}

/** Trains, or goes on training. */
export async function runTrain(flags: TrainFlags): Promise<TrainResult> {
  const preset = PRESETS[flags.preset];
  if (!preset) {
    throw new VitrailError(
      `Cannot use preset ${flags.preset}: wanted one of ${Object.keys(PRESETS).join(", ")}`,
    );
  }
  if (!["cosine", "linear", "constant"].includes(flags.schedule)) {
    throw new VitrailError(
      `Cannot use schedule ${flags.schedule}: wanted cosine, linear or constant`,
    );
  }
  const size = { ...preset, ...defined(flags) };
  const { out } = flags;
  makeDirectory(out);
  const tokenizer = await tokenizerFor(flags);
  const dataset = await datasetFor(flags, tokenizer);
  const device = await openDevice();
  let model: Gpt;
  if (flags.from && !flags.resume) {
    model = loadGpt(device, flags.from);
  } else {
    const config = createGptConfig({
      vocabularySize: tokenizer.vocabularySize,
      contextLength: size.sequence,
      channels: size.channels,
      layers: size.layers,
      heads: size.heads,
    }, {
      positions: flags.positions,
      embeddingDropout: flags.dropout,
      attentionDropout: flags.dropout,
      residualDropout: flags.dropout,
      endOfTextId: tokenizer.endOfText,
      beginOfTextId: tokenizer.endOfText,
    });
    model = flags.resume ? loadGpt(device, out) : new Gpt(device, config, freshWeights(flags.seed));
  }
  model.checkpointing = flags.checkpointing;
  if (!flags.resume) {
    writeFileAtomic(`${out}/training.json`, JSON.stringify(withoutResume(flags), null, 2) + "\n");
  }
  const { batch, sequence } = size;
  using trainTokens = dataset.open("train");
  using heldOut = dataset.open("validation");
  const sampler = new BatchSampler(trainTokens, { batch, sequence, seed: flags.seed });
  const settings = {
    steps: flags.steps,
    sequence,
    learningRate: size.learningRate,
    minimumLearningRate: flags.minimumLearningRate ?? size.learningRate / 10,
    warmupSteps: flags.warmup ?? Math.min(100, Math.ceil(flags.steps / 20)),
    schedule: flags.schedule,
    weightDecay: flags.weightDecay,
    clip: flags.clip,
    accumulation: flags.accumulation,
    evaluateEvery: flags.evaluateEvery ?? Math.max(1, Math.ceil(flags.steps / 10)),
    saveEvery: flags.saveEvery ?? Math.max(1, Math.ceil(flags.steps / 10)),
    patience: flags.patience,
    seed: flags.seed,
  };
  console.error(
    `${model.parameterCount.toLocaleString("en")} parameters, ` +
      `${dataset.train.tokens.toLocaleString("en")} tokens to train on, ` +
      `${dataset.validation.tokens.toLocaleString("en")} held out, on ${device.description}`,
  );
  const metrics = new MetricsFile(`${out}/metrics.jsonl`);
  const bar = new ProgressBar({ total: flags.steps, label: "train" });
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  Deno.addSignalListener("SIGINT", interrupt);
  const samples: { step: number; text: string }[] = [];
  let [begun, from, validation] = [performance.now(), 0, ""];
  try {
    const result = await train(model, settings, {
      batchAt: (n) => sampler.at(n),
      validation: heldOut.length > 1
        ? () => sequentialBatches(heldOut, { batch, sequence, limit: flags.evaluateBatches })
        : undefined,
      directory: out,
      resume: flags.resume,
      signal: abort.signal,
      onStart: ({ step }) => {
        metrics.truncateAfter(step);
        [begun, from] = [performance.now(), step];
      },
      onSteps: (figures) => {
        for (const { step, loss, learningRate, gradientNorm } of figures) {
          metrics.append({ step, loss, learningRate, gradientNorm });
        }
        const { step, loss } = figures.at(-1)!;
        const rate = (step - from) * batch * sequence * flags.accumulation /
          ((performance.now() - begun) / 1000);
        bar.update(step, {
          loss: loss.toFixed(3),
          ...(validation ? { val: validation } : {}),
          "tok/s": Math.round(rate),
        });
      },
      onEvaluation: async (step, found) => {
        validation = found.loss.toFixed(3);
        metrics.append({ step, validationLoss: found.loss });
        if (flags.samples === 0) return;
        const text = await sampleText(model, tokenizer, flags);
        samples.push({ step, text });
        bar.line(`step ${step}  validation loss ${validation}\n  ${text.replaceAll("\n", "\n  ")}`);
      },
    });
    bar.finish();
    writeReport(`${out}/report.html`, {
      title: `Training ${out}`,
      config: { ...settings, ...model.config, parameters: model.parameterCount, data: flags.data },
      records: readMetrics(`${out}/metrics.jsonl`),
      samples,
      figures: {
        "steps": result.step,
        ...(result.bestLoss === null ? {} : { "best validation loss": result.bestLoss }),
      },
    });
    if (result.reason === "interrupted") {
      console.error(`Stopped at step ${result.step}; go on with: train --out ${out} --resume`);
    } else {
      console.error(`Wrote ${out} (model.safetensors, tokenizer.json, report.html)`);
    }
    return result;
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
    device.destroy();
  }
}

function defined<T extends object>(flags: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(flags).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

function withoutResume({ resume: _resume, config: _config, ...flags }: TrainFlags): object {
  return flags;
}

function makeDirectory(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new VitrailError(`Cannot write to ${path}: ${(cause as Error).message}`);
  }
}

async function* texts(flags: TrainFlags): AsyncGenerator<string> {
  for await (const { text } of readDocuments(flags.data, flags)) yield text;
}

async function tokenizerFor(flags: TrainFlags): Promise<Tokenizer> {
  const { out, tokenizer: kind, vocabulary } = flags;
  if (flags.resume) return await loadTokenizer(out);
  let tokenizer: Tokenizer;
  if (flags.from || !["bpe", "characters"].includes(kind)) {
    tokenizer = await loadTokenizer(flags.from ?? kind);
  } else if (flags.data === "-") {
    throw new VitrailError(
      "Cannot train a tokenizer from standard input, which is read once: " +
        "give --tokenizer DIRECTORY, or a file",
    );
  } else if (kind === "characters") {
    tokenizer = await trainCharacterTokenizer(texts(flags));
  } else {
    const bar = new ProgressBar({ total: vocabulary, label: "tokenizer" });
    tokenizer = await trainBytePairTokenizer(texts(flags), {
      vocabularySize: vocabulary,
      onProgress: (done) => bar.update(done, {}),
    });
    bar.finish();
  }
  writeFileAtomic(`${out}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
  return tokenizer;
}

async function datasetFor(flags: TrainFlags, tokenizer: Tokenizer): Promise<Dataset> {
  const directory = `${flags.out}/data`;
  if (flags.resume) return openDataset(directory);
  let last = 0;
  await tokenizeCorpus(readDocuments(flags.data, flags), tokenizer, {
    directory,
    validationFraction: flags.validationFraction,
    onProgress: ({ bytes, tokens }) => {
      if (performance.now() - last < 1000 || !Deno.stderr.isTerminal()) return;
      last = performance.now();
      console.error(
        `tokenized ${(bytes / 1e6).toFixed(1)} MB, ${tokens.toLocaleString("en")} tokens`,
      );
    },
  });
  return openDataset(directory);
}

async function sampleText(model: Gpt, tokenizer: Tokenizer, flags: TrainFlags): Promise<string> {
  const begin = tokenizer.endOfText ?? 0;
  const [ids] = await generate(model, [begin], {
    maxNewTokens: Math.min(flags.samples, model.config.contextLength - 1),
    temperature: 0.8,
    topK: 40,
    seed: flags.seed,
    stopIds: tokenizer.endOfText === undefined ? [] : [tokenizer.endOfText],
  });
  return tokenizer.decode(ids).trim();
}
