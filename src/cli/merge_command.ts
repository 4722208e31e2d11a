/**
 * `vitrail merge`: a model with its LoRA adapter as one plain model.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { showPath } from "../formats/messages.ts";
import { nameEnd } from "../generation/end_tokens.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import {
  loadAdaptedBert,
  loadAdaptedClassifier,
  loadAdaptedGpt,
  modelTask,
} from "../models/adapted_models.ts";
import { mergeAdapter } from "../models/adapters.ts";
import { saveBert, saveGpt } from "../models/files.ts";
import { modelFamily } from "../models/sequence_classifier.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import {
  addOverwriteFlag,
  claimDirectory,
  MODEL_DIRECTORY,
  samePlace,
  writeTogether,
} from "./output.ts";
import { printNotice } from "./printer.ts";

/** The directories of a merge. */
interface MergeFlags {
  /** The model that the adapter was trained on. */
  model: string;
  /** The adapter. */
  adapter: string;
  /** Where the merged model goes. */
  out: string;
}

/** Adds the command to the program. */
export function addMerge(program: Command): void {
  addOverwriteFlag(program.command("merge"))
    .description("write a model with its LoRA adapter merged into its weights")
    .option("--model <directory>", "the model that the adapter was trained on")
    .requiredOption("--adapter <directory>", "the adapter, ours or PEFT's")
    .requiredOption("--out <directory>", "where the merged model goes")
    .action(async (flags: MergeFlags & { overwrite: boolean }) => {
      refuseSamePlace(flags);
      const { out, overwrite } = flags;
      const device = await openDevice();
      try {
        await mergeDirectories(device, flags, () => {
          claimDirectory(out, { replaces: MODEL_DIRECTORY, overwrite });
        });
      } finally {
        device.destroy();
      }
      printNotice(`Wrote ${flags.out} (model.safetensors, config.json, and its tokenizer)`);
    });
}

function refuseSamePlace({ model, adapter, out }: MergeFlags): void {
  const needed = [model, adapter].find((directory) => samePlace(directory, out));
  if (needed === undefined) return;
  const what = needed === model ? "it is the model that the adapter needs" : "it is the adapter";
  throw new VitrailError(`Cannot merge into ${showPath(out)}: ${what}; give another --out`);
}

/**
 * Merges an adapter into a GPT or BERT, and writes the model with the tokenizer of the one before.
 *
 * @param claim makes the directory for the result ours, when all that is read has been found good
 * @throws {VitrailError} if the adapter belongs to another model, or a file cannot be written
 */
export async function mergeDirectories(
  device: Device,
  { model: directory, adapter, out }: MergeFlags,
  claim: () => void,
): Promise<void> {
  const tokenizer = await loadTokenizer(directory).catch(() => undefined);
  const save = merged(device, directory, { adapter, tokenizer });
  claim();
  await writeTogether(out, async (folder) => {
    if (tokenizer) saveTokenizer(folder, tokenizer);
    await save(folder);
  });
}

/** Opens a model with its adapter, merges them, and gives what writes the result. */
function merged(
  device: Device,
  directory: string,
  { adapter, tokenizer }: { adapter: string; tokenizer: Tokenizer | undefined },
): (out: string) => Promise<void> {
  if (modelFamily(directory) === "bert") {
    const { model, adapter: added } = loadAdaptedBert(device, directory, adapter);
    mergeAdapter(model, added!);
    return (out) => saveBert(model, out);
  }
  if (modelTask(directory, adapter) === "classify") {
    const { model, adapter: added } = loadAdaptedClassifier(device, directory, adapter);
    mergeAdapter(model, added!);
    return (out) => model.save(out);
  }
  const { model, adapter: added } = loadAdaptedGpt(device, directory, adapter);
  mergeAdapter(model, added!);
  nameEnd(model, tokenizer);
  return (out) => saveGpt(model, out);
}
