/**
 * `vitrail quantize`: a model with weights in fewer bits.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { VitrailError } from "../errors.ts";
import { showPath } from "../formats/messages.ts";
import { nameEnd } from "../generation/end_tokens.ts";
import { openDevice } from "../gpu/device.ts";
import { loadGpt, saveGpt } from "../models/files.ts";
import type { Gpt } from "../models/gpt.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";
import { loadTokenizer } from "../tokenizers/tokenizer.ts";
import { ProgressBar } from "../training/progress.ts";
import { oneOf } from "./choices.ts";
import { checkModelFiles } from "./model_files.ts";
import { whole } from "./numbers.ts";
import {
  addOverwriteFlag,
  claimDirectory,
  MODEL_DIRECTORY,
  samePlace,
  writeTogether,
} from "./output.ts";
import { encodeText, measureText } from "./perplexity.ts";
import { print } from "./printer.ts";
import { groupOption, packingFlags } from "./weight_flags.ts";

interface QuantizeFlags {
  model: string;
  weights: string;
  group?: string;
  out: string;
  data?: string;
  batch: number;
  textField: string;
  overwrite: boolean;
  json: boolean;
}

/** Adds the command to the program. */
export function addQuantize(program: Command): void {
  addOverwriteFlag(program.command("quantize"))
    .description("write a GPT with weights in fewer bits, and say what that costs")
    .requiredOption("--model <directory>", "the model, in floats")
    .addOption(
      new Option("--weights <format>", "f16, int8 or int4")
        .argParser(oneOf("f16", "int8", "int4")).makeOptionMandatory(),
    )
    .addOption(groupOption())
    .requiredOption("--out <directory>", "where the quantized model goes")
    .option("--data <source>", "text on which both are evaluated; any source of `evaluate`")
    .option("--batch <n>", "sequences at once, of the evaluation", whole(1), 8)
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--json", "print one JSON object", false)
    .action(async (flags: QuantizeFlags) => {
      const found = await quantize(flags);
      print(flags.json ? JSON.stringify(found) : describe(flags, found));
    });
}

/** A model's sizes, and its perplexity if a text was given. */
interface Measured {
  /** Bytes of its weights on the device. */
  weightBytes: number;
  /** Bytes of model.safetensors, of the model that was written. */
  fileBytes?: number;
  /** On the text. */
  perplexity?: number;
}

async function quantize(flags: QuantizeFlags): Promise<{ before: Measured; after: Measured }> {
  const { model: directory, out } = flags;
  const packing = packingFlags(flags);
  if (samePlace(directory, out)) {
    throw new VitrailError(
      `Cannot quantize into ${
        showPath(out)
      }: it is the model in floats, which cannot be had back; ` +
        "give another --out",
    );
  }
  const config = checkModelFiles(directory, flags);
  const text = flags.data && await encodeText(flags.data, { ...flags, config });
  claimDirectory(out, { replaces: MODEL_DIRECTORY, overwrite: flags.overwrite });
  const device = await openDevice();
  try {
    const measure = async (model: Gpt, label: string): Promise<Measured> => ({
      weightBytes: model.weightBytes,
      perplexity: text
        ? (await measureText(model, text, { ...flags, label })).perplexity
        : undefined,
    });
    let bar: ProgressBar | undefined;
    const small = loadGpt(device, directory, {
      ...packing,
      onProgress: (done, total) => {
        bar ??= new ProgressBar({ total, label: "quantize", unit: "weight" });
        bar.update(done, {});
      },
    });
    bar?.finish();
    const after = await measure(small, flags.weights);
    const tokenizer = await loadTokenizer(directory).catch(() => undefined);
    nameEnd(small, tokenizer);
    await writeTogether(out, async (folder) => {
      if (tokenizer) {
        saveTokenizer(folder, tokenizer, small.config);
      }
      await saveGpt(small, folder);
    });
    const before = await measure(loadGpt(device, directory), "f32");
    return {
      before,
      after: { ...after, fileBytes: Deno.statSync(`${out}/model.safetensors`).size },
    };
  } finally {
    device.destroy();
  }
}

function describe(
  { weights, out }: QuantizeFlags,
  { before, after }: { before: Measured; after: Measured },
): string {
  const bytes = (n: number): string => n.toLocaleString("en");
  const share = (100 * after.weightBytes / before.weightBytes).toFixed(1);
  const lines = [
    `weights f32 ${bytes(before.weightBytes)} bytes, ${weights} ${
      bytes(after.weightBytes)
    } bytes ` +
    `(${share} %)`,
  ];
  if (before.perplexity !== undefined && after.perplexity !== undefined) {
    const cost = 100 * (after.perplexity / before.perplexity - 1);
    lines.push(
      `perplexity f32 ${before.perplexity.toFixed(3)}, ${weights} ${after.perplexity.toFixed(3)} ` +
        `(${cost < 0 ? "" : "+"}${cost.toFixed(2)} %)`,
    );
  }
  lines.push(`Wrote ${out} (model.safetensors of ${bytes(after.fileBytes!)} bytes)`);
  return lines.join("\n");
}
