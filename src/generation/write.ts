/**
 * One text continued as text: as it comes, to a stop string or the end of the text.
 *
 * @module
 */
import type { Gpt } from "../models/gpt.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { endTokens } from "./end_tokens.ts";
import { TextWriter } from "./text_writer.ts";
import { generate } from "./generate.ts";
import type { GenerateOptions } from "./generate_options.ts";

/** How a text is continued. */
export interface WriteOptions extends Omit<GenerateOptions, "samples" | "stopIds" | "onTokens"> {
  /** The text ends before the first of these. */
  stop?: readonly string[];
  /** Called with each piece of whole characters as soon as it cannot turn out to begin a stop string. */
  onText?: (piece: string) => void;
}

/**
 * Continues a prompt and returns what was written after it.
 *
 * @throws {VitrailError} if a stop string is empty, or as `generate`
 *
 * @example
 * ```ts
 * import { loadGpt, loadTokenizer, openDevice, writeText } from "../../mod.ts";
 *
 * async function print(directory: string, prompt: string) {
 *   const device = await openDevice();
 *   const [model, tokenizer] = [loadGpt(device, directory), await loadTokenizer(directory)];
 *   await writeText({ model, tokenizer }, tokenizer.encode(prompt), {
 *     onText: (piece) => console.log(piece),
 *   });
 *   device.destroy();
 * }
 * ```
 */
export async function writeText(
  { model, tokenizer }: { model: Gpt; tokenizer: Tokenizer },
  prompt: ArrayLike<number>,
  options: WriteOptions = {},
): Promise<string> {
  const { stop, onText, ...rest } = options;
  const writer = new TextWriter(tokenizer.stream(), { stop, onText });
  await generate(model, prompt, {
    ...rest,
    stopIds: endTokens(model.config, tokenizer),
    onTokens: (_sequence, ids) => {
      writer.push(ids);
      return writer.stopped;
    },
  });
  return writer.end();
}
