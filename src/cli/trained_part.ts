/**
 * Which part of a model a fine-tuning trains: all of it, all but frozen layers, or an adapter beside it.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { showPath } from "../formats/messages.ts";
import {
  type Adaptable,
  adapterSize,
  addLora,
  type LoraAdapter,
  type LoraSettings,
} from "../models/adapters.ts";
import { freeze } from "../nn/names.ts";
import { layerwiseRates } from "../optim/layer_rates.ts";
import { adapted } from "../training/adapted_task.ts";
import type { TrainResult, TrainSettings } from "../training/loop.ts";
import type { Task } from "../training/task.ts";
import { mergeDirectories } from "./merge_command.ts";
import { makeOutput, samePlace } from "./output.ts";
import { real, whole } from "./numbers.ts";
import { printNotice } from "./printer.ts";
import { type RunFlags, trainSettings } from "./run_flags.ts";

/** Values of the flags. */
export interface PartFlags extends RunFlags {
  /** r of LoRA; 0 for none. */
  loraRank: number;
  /** LoRA is multiplied by alpha/rank. */
  loraAlpha?: number;
  /** Dropout on what LoRA reads. */
  loraDropout: number;
  /** Ends of the names of adapted layers; all layers of the blocks if absent. */
  loraTargets?: string;
  /** Also write the merged model. */
  merge: boolean;
  /** Parameters that are not trained. */
  freeze?: string;
  /** Learning rate of each layer below the next. */
  layerDecay: number;
}

/** The layers of a block. */
const BLOCK_LAYERS = {
  bert: ["query", "key", "value", "intermediate.dense", "output.dense"],
  gpt2: ["c_attn", "c_proj", "c_fc"],
};

/** Adds the flags to a command. */
export function addPartFlags(command: Command): Command {
  return command
    .option("--lora-rank <n>", "rank of LoRA; 0 trains all weights", whole(0), 0)
    .option("--lora-alpha <x>", "LoRA is multiplied by alpha/rank; twice the rank", real(0))
    .option("--lora-dropout <p>", "dropout on what LoRA reads", real(0, 0.99), 0)
    .option(
      "--lora-targets <names>",
      "ends of the names of layers, by commas, such as query,value or c_attn; all of the blocks if absent",
    )
    .option("--merge", "also write the model with the adapter merged, to OUT/merged", false)
    .option(
      "--freeze <names>",
      "parameters to leave as they are, by commas, such as embeddings,h.0",
    )
    .option("--layer-decay <x>", "learning rate of each layer below the next", real(0.01, 1), 1);
}

/**
 * Looks at the flags before a model is opened.
 *
 * @param base the directory of the model to begin with; none from scratch
 * @throws {VitrailError} if they contradict one another
 */
export function checkPart(flags: PartFlags, base: string | undefined): void {
  if (flags.loraRank > 0 && flags.freeze !== undefined) {
    throw new VitrailError(
      "Cannot freeze layers beside LoRA, which freezes them all: give --freeze or --lora-rank",
    );
  }
  if (flags.merge && flags.loraRank === 0) {
    throw new VitrailError("Cannot merge without an adapter: give --lora-rank too");
  }
  if (flags.loraRank > 0 && base === undefined) {
    throw new VitrailError(
      "Cannot add LoRA to random weights, which it would leave as they are: " +
        "give --model DIRECTORY, or leave out --lora-rank",
    );
  }
  if (flags.loraRank > 0 && flags.out !== undefined && samePlace(base!, flags.out)) {
    throw new VitrailError(
      `Cannot write the adapter into ${
        showPath(flags.out)
      }: it is the model that the adapter needs; ` +
        "give another --out",
    );
  }
}

/** What is said of a model whose part is trained. */
export interface PartOptions extends Pick<LoraSettings, "trainedWhole"> {
  /** Its family. */
  family: keyof typeof BLOCK_LAYERS;
  /** The directory that it came from. */
  base?: string;
  /** PEFT's word for what it is for. */
  taskType: string;
  /** Writes what an adapter's directory should say besides, such as labels. */
  describe?: (directory: string) => void;
}

/** The part of a model that is trained. */
export class TrainedPart {
  /** What was added, if it is that which is trained. */
  readonly adapter?: LoraAdapter;
  readonly #model: Adaptable;
  readonly #flags: PartFlags;
  readonly #options: PartOptions;

  /**
   * Adds LoRA, or freezes what is to stay as it is.
   *
   * @throws {VitrailError} if no layer or parameter has such a name
   */
  constructor(model: Adaptable, flags: PartFlags, options: PartOptions) {
    this.#model = model;
    this.#flags = flags;
    this.#options = options;
    if (flags.loraRank > 0) {
      this.adapter = addLora(model, {
        rank: flags.loraRank,
        alpha: flags.loraAlpha,
        dropout: flags.loraDropout,
        targets: flags.loraTargets === undefined
          ? BLOCK_LAYERS[options.family]
          : names(flags.loraTargets),
        trainedWhole: options.trainedWhole,
        seed: flags.seed,
      });
    } else if (flags.freeze !== undefined) {
      freeze(model.parameters, names(flags.freeze));
    }
  }

  /** The task over this part alone. */
  task<B>(task: Task<B>): Task<B> {
    const { base, taskType, describe } = this.#options;
    return this.adapter ? adapted(task, this.adapter, { base, taskType, describe }) : task;
  }

  /** Rates and rhythm; `rates` are the usual ones of weights and of an adapter. */
  settings(rates: { weights: number; adapter: number }): TrainSettings {
    const { learningRate = this.adapter ? rates.adapter : rates.weights, layerDecay } = this.#flags;
    return {
      ...trainSettings(this.#flags, learningRate),
      ...layerDecay < 1 ? { rateOf: layerwiseRates(this.#model.parameters, layerDecay) } : {},
    };
  }

  /** The model's family. */
  get family(): PartOptions["family"] {
    return this.#options.family;
  }

  /** How the part is trained, in words that follow a model's sizes; none if that is all of it. */
  get method(): string {
    const { loraRank, freeze } = this.#flags;
    if (this.adapter) return `, with LoRA of rank ${loraRank}`;
    return freeze === undefined ? "" : `, without ${freeze}`;
  }

  /** Numbers that make up the model, without an adapter's. */
  get parameterCount(): number {
    const { parameters, quantized = [] } = this.#model;
    return sum([...parameters, ...quantized].map(({ size }) => size));
  }

  /** How much of the model is trained, in words. */
  get size(): string {
    const { parameters, device } = this.#model;
    const all = this.parameterCount;
    const trained = this.adapter
      ? adapterSize(this.adapter)
      : sum(parameters.map(({ size, frozen }) => frozen ? 0 : size));
    const [part, whole] = [trained, all].map((n) => n.toLocaleString("en"));
    return `${part} of ${whole} parameters are trained (${(100 * trained / all).toFixed(2)} %), ` +
      `on ${device.description}`;
  }

  /** Settings for a report. */
  get config(): Record<string, unknown> {
    return { ...this.adapter?.config, ...this.#options.base && { model: this.#options.base } };
  }

  /** Files that a run leaves, in words. */
  get wrote(): string {
    return this.adapter
      ? "adapter_model.safetensors, adapter_config.json, report.html"
      : "model.safetensors, tokenizer.json, report.html";
  }

  /** The directories that make the model once it is trained: its own, or the base's and the adapter's. */
  get directories(): [model: string, adapter?: string] {
    const { out } = this.#flags;
    return this.adapter ? [this.#options.base!, out] : [out];
  }

  /** Writes the merged model if that is asked for and the run has come to its end. */
  async merge({ reason }: TrainResult): Promise<void> {
    if (!this.#flags.merge || reason === "interrupted") return;
    // From the files: with patience they hold the best weights, which are not the last.
    const [model, adapter] = this.directories;
    const out = `${this.#flags.out}/merged`;
    // Within the directory of the run, which this process has claimed.
    await mergeDirectories(
      this.#model.device,
      { model, adapter: adapter!, out },
      () => makeOutput(out),
    );
    printNotice(`Wrote ${out} (model.safetensors, tokenizer.json)`);
  }
}

/**
 * Usual rates for a task: BERT's 5e-5 at 768 channels (appendix A.3), more for smaller models, thrice
 * that from scratch; ten times that for an adapter (Hu et al. 2021, appendix D).
 */
export function taskRates(
  config: object,
  { fromScratch }: { fromScratch: boolean },
): { weights: number; adapter: number } {
  const { channels } = config as { channels: number };
  const weights = Math.min(1e-3, (fromScratch ? 3 : 1) * 5e-5 * 768 / channels);
  return { weights, adapter: Math.min(5e-3, 10 * weights) };
}

/** A list by commas. */
const names = (list: string): string[] =>
  list.split(",").map((name) => name.trim()).filter((name) => name !== "");

const sum = (numbers: number[]): number => numbers.reduce((all, n) => all + n, 0);
