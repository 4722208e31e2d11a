/**
 * Texts continued as texts: as they come, to a stop string or the end of the text.
 *
 * @module
 */
import type { Gpt } from "../models/gpt.ts";
import { checkFit } from "../tokenizers/fitting.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import type { GeneratedSequence } from "./chooser.ts";
import { endTokens } from "./end_tokens.ts";
import { generateScored, type Prompts } from "./generate.ts";
import type { GenerateOptions } from "./generate_options.ts";
import { TextWriter } from "./text_writer.ts";

/** How a text is continued. */
export interface WriteOptions extends Omit<GenerateOptions, "samples" | "stopIds" | "onTokens"> {
  /**
   * The text ends before the first of these. Beams are searched to their ends, and their texts are cut
   * there afterwards.
   */
  stop?: readonly string[];
  /** Called with each piece of whole characters as soon as it cannot turn out to begin a stop string. */
  onText?: (piece: string) => void;
}

/** How several texts are continued. */
export interface WriteTextsOptions extends Omit<WriteOptions, "onText"> {
  /** Texts to write on each prompt; of beams, the best so many. */
  samples?: number;
  /** Called with each piece, as with one text, and the number of the text: `p·samples + s`. */
  onText?: (piece: string, sequence: number) => void;
}

/** A text that was written, and its tokens. */
export interface WrittenText extends GeneratedSequence {
  /** The text, up to a stop string. */
  text: string;
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
  parts: { model: Gpt; tokenizer: Tokenizer },
  prompt: ArrayLike<number>,
  options: WriteOptions = {},
): Promise<string> {
  const [[{ text }]] = await write(parts, [prompt], { ...options, samples: 1, scored: false });
  return text;
}

/**
 * Continues several prompts side by side, and returns for each of them the texts with the probabilities
 * of their tokens and why they ended. A text's tokens include those of the stop string that ended it.
 *
 * @throws {VitrailError} as {@linkcode writeText}
 *
 * @example
 * ```ts
 * import { loadGpt, loadTokenizer, openDevice, writeTexts } from "../../mod.ts";
 *
 * async function print(directory: string, prompts: string[]) {
 *   const device = await openDevice();
 *   const [model, tokenizer] = [loadGpt(device, directory), await loadTokenizer(directory)];
 *   const ids = prompts.map((prompt) => tokenizer.encode(prompt));
 *   for (const texts of await writeTexts({ model, tokenizer }, ids, { samples: 2, stop: ["\n"] })) {
 *     for (const { text, logProbability } of texts) console.log(logProbability, text);
 *   }
 *   device.destroy();
 * }
 * ```
 */
export async function writeTexts(
  parts: { model: Gpt; tokenizer: Tokenizer },
  prompts: Prompts,
  options: WriteTextsOptions = {},
): Promise<WrittenText[][]> {
  return await write(parts, prompts, { ...options, scored: true });
}

async function write(
  { model, tokenizer }: { model: Gpt; tokenizer: Tokenizer },
  prompts: Prompts,
  options: WriteTextsOptions & { scored: boolean },
): Promise<WrittenText[][]> {
  const { stop, onText, samples = 1, ...rest } = options;
  checkFit(tokenizer, model.config);
  const writers = Array.from(
    { length: prompts.length * samples },
    (_, number) =>
      new TextWriter(
        tokenizer.stream({ after: Array.from(prompts[Math.floor(number / samples)]) }),
        {
          stop,
          onText: onText && ((piece) => onText(piece, number)),
        },
      ),
  );
  const found = await generateScored(model, prompts, {
    ...rest,
    samples,
    stopIds: endTokens(model.config, tokenizer),
    onTokens: (number, ids) => {
      const taken = writers[number].push(ids);
      return writers[number].stopped ? taken : false;
    },
  });
  return found.map((sequences, p) =>
    sequences.map((sequence, s) => ({ text: writers[p * samples + s].end(), ...sequence }))
  );
}
