/**
 * A look at a model's files before a GPU is asked for: what is wrong with them is told at once.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { GptConfig } from "../formats/gpt_config.ts";
import { readConfig } from "../formats/huggingface_gpt2.ts";
import { quoteName } from "../formats/messages.ts";
import { openModelWeights } from "../formats/safetensors.ts";
import { packedFormat } from "../models/packed_files.ts";

const FLOATS = ["F32", "F16", "BF16", "F64"];

/** Masks, which old files keep as if they were weights; nobody reads them. */
const MASK = /\.attn\.(masked_)?bias$/;

/** What is left of a weight in a quantized model. */
const PACKED = /\.(packed|scales)$/;

/**
 * Reads the configuration of a model directory and the header of its weights.
 *
 * @param options.weights what they are to be kept in, if that was asked for
 * @throws {VitrailError} if a file is missing, damaged, holds weights that are neither floats nor
 * quantized by us, or such as are to be quantized again
 */
export function checkModelFiles(
  directory: string,
  { weights }: { weights?: string } = {},
): GptConfig {
  const config = readConfig(directory);
  using file = openModelWeights(directory);
  const format = packedFormat(file);
  if (format !== undefined && weights !== undefined) {
    throw new VitrailError(
      `Cannot use the weights in ${directory} as ${weights}: they are quantized to ${format} ` +
        "already; leave out --weights, or give the model that they were made from",
    );
  }
  for (const name of file.names) {
    const { dtype } = file.info(name);
    if (FLOATS.includes(dtype) || MASK.test(name) || PACKED.test(name)) continue;
    throw new VitrailError(
      `Cannot use the weights in ${directory}: tensor ${quoteName(name)} is ${dtype}, wanted ` +
        `${FLOATS.slice(0, -1).join(", ")} or ${FLOATS.at(-1)}; save the model with such weights`,
    );
  }
  return config;
}

/**
 * Checks that a model can be trained on.
 *
 * @throws {VitrailError} if it is quantized
 */
export function checkTrainable(directory: string): void {
  using file = openModelWeights(directory);
  const format = packedFormat(file);
  if (format === undefined) return;
  throw new VitrailError(
    `Cannot train the model in ${directory}: it is quantized to ${format}; give the model that it ` +
      "was made from",
  );
}

/**
 * Checks that a prompt and what follows it fit into a model.
 *
 * @throws {VitrailError} if they do not, or an id is outside the vocabulary
 */
export function checkPrompt(
  { contextLength, vocabularySize }: GptConfig,
  { ids, maxNewTokens }: { ids: ArrayLike<number>; maxNewTokens: number },
): void {
  if (ids.length === 0) {
    throw new VitrailError("Cannot continue an empty prompt: give at least one token");
  }
  const wrong = Array.from(ids).find((id) => id >= vocabularySize);
  if (wrong !== undefined) {
    throw new VitrailError(
      `Cannot continue with token ${wrong}: the model knows ids from 0 to ${vocabularySize - 1}; ` +
        "its tokenizer and config.json must belong together",
    );
  }
  const room = contextLength - ids.length;
  if (maxNewTokens <= room) return;
  throw new VitrailError(
    room > 0
      ? `Cannot write ${maxNewTokens} tokens after a prompt of ${ids.length}: the model's context ` +
        `is ${contextLength}; give --max-new-tokens ${room}, or shorten the prompt`
      : `Cannot continue a prompt of ${ids.length} tokens: the model's context is ${contextLength}; ` +
        `shorten the prompt to ${contextLength - 1} at most`,
  );
}
