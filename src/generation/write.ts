/**
 * One text continued as text: as it comes, to a stop string or the end of the text.
 *
 * @module
 */
import type { Gpt } from "../models/gpt.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { generate, type GenerateOptions } from "./generate.ts";

/** How a text is continued. */
export interface WriteOptions extends Omit<GenerateOptions, "samples" | "stopIds" | "onTokens"> {
  /** The text ends before the first of these. */
  stop?: readonly string[];
  /** Told each piece as soon as it cannot turn out to begin a stop string. */
  onText?: (piece: string) => void;
}

/**
 * Continues a prompt and returns what was written after it.
 *
 * @throws {VitrailError} as `generate`
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
  const { stop = [], onText, ...rest } = options;
  const stream = tokenizer.stream();
  const held = stop.reduce((most, text) => Math.max(most, text.length - 1), 0);
  let [text, told] = ["", 0];
  /** Takes a piece in, and says whether a stop string has ended the text. */
  const take = (piece: string): boolean => {
    text += piece;
    const ends = stop.map((s) => text.indexOf(s)).filter((at) => at >= 0);
    if (ends.length > 0) text = text.slice(0, Math.min(...ends));
    return ends.length > 0;
  };
  const tell = (end: number): void => {
    if (end > told) onText?.(text.slice(told, end));
    told = Math.max(told, end);
  };
  let ended = false;
  await generate(model, prompt, {
    ...rest,
    stopIds: tokenizer.endOfText === undefined ? [] : [tokenizer.endOfText],
    onTokens: (_sequence, ids) => {
      ended = take(stream.push(ids));
      tell(ended ? text.length : text.length - held);
      return ended;
    },
  });
  if (!ended) take(stream.end());
  tell(text.length);
  return text;
}
