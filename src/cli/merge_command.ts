/**
 * `vitrail merge`: a model with its LoRA adapter as one plain model.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { showPath } from "../formats/messages.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { loadAdapter, mergeAdapter } from "../models/adapters.ts";
import { loadBert, loadGpt, saveBert, saveGpt } from "../models/files.ts";
import { modelFamily } from "../models/sequence_classifier.ts";
import { loadTokenizer } from "../tokenizers/tokenizer.ts";
import { makeOutput, samePlace } from "./output.ts";

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
  program.command("merge")
    .description("write a model with its LoRA adapter merged into its weights")
    .requiredOption("--model <directory>", "the model that the adapter was trained on")
    .requiredOption("--adapter <directory>", "the adapter, ours or PEFT's")
    .requiredOption("--out <directory>", "where the merged model goes")
    .action(async (flags: MergeFlags) => {
      const device = await openDevice();
      try {
        await mergeDirectories(device, flags);
      } finally {
        device.destroy();
      }
      console.error(`Wrote ${flags.out} (model.safetensors, config.json, and its tokenizer)`);
    });
}

/**
 * Merges an adapter into a GPT or BERT, and writes the model with the tokenizer of the one before.
 *
 * @throws {VitrailError} if the adapter belongs to another model, or the model would be replaced
 */
export async function mergeDirectories(
  device: Device,
  { model: directory, adapter, out }: MergeFlags,
): Promise<void> {
  if (samePlace(directory, out)) {
    throw new VitrailError(
      `Cannot merge into ${showPath(out)}: it is the model that the adapter needs; ` +
        "give another --out",
    );
  }
  if (modelFamily(directory) === "bert") {
    const model = loadBert(device, directory);
    mergeAdapter(model, loadAdapter(model, adapter));
    makeOutput(out);
    await saveBert(model, out);
  } else {
    const model = loadGpt(device, directory);
    mergeAdapter(model, loadAdapter(model, adapter));
    makeOutput(out);
    await saveGpt(model, out);
  }
  const tokenizer = await loadTokenizer(directory).catch(() => undefined);
  if (tokenizer) writeFileAtomic(`${out}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
}
