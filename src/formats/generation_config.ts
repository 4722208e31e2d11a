/**
 * Hugging Face's `generation_config.json`: which tokens begin and end a text. `generate` of `transformers`
 * reads it, and does not look at `config.json` beside it.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { type AtomicFile, stageFile } from "./atomic_file.ts";
import { endOfTextIds, type GptConfig } from "./gpt_config.ts";
import { readJsonObject } from "./json_file.ts";
import { quoteValue, showPath } from "./messages.ts";

const FILE = "generation_config.json";

/**
 * The tokens that end a text, as `generation_config.json` of a model directory names them.
 *
 * @returns them as `config.json` would have them; undefined if there is no such file, or it names none
 * @throws {VitrailError} when the file is not JSON, or names something else than token ids
 */
export function readGenerationEnd(directory: string): number | number[] | undefined {
  const path = `${directory}/${FILE}`;
  if (!isFile(path)) return undefined;
  const { eos_token_id: id } = readJsonObject(path);
  if (id === undefined || id === null) return undefined;
  const ids = Array.isArray(id) ? id : [id];
  if (ids.every((one) => Number.isSafeInteger(one) && one >= 0)) return id as number | number[];
  throw new VitrailError(
    `Cannot use ${showPath(path)}: eos_token_id is ${
      quoteValue(id)
    }, wanted a token id or a list ` +
      "of them",
  );
}

/**
 * Writes `generation_config.json` into a model directory, whole or not at all, so that `generate` of
 * `transformers` ends where ours does.
 *
 * @throws {VitrailError} when the file cannot be written
 */
export function writeGenerationConfig(
  directory: string,
  config: Pick<GptConfig, "beginOfTextId" | "endOfTextId">,
): void {
  using file = stageGenerationConfig(directory, config);
  file.commit();
}

/**
 * The same without its name yet, for a model whose files take theirs together.
 *
 * @throws {VitrailError} when the file cannot be written
 */
export function stageGenerationConfig(
  directory: string,
  config: Pick<GptConfig, "beginOfTextId" | "endOfTextId">,
): AtomicFile {
  const [end, ...more] = endOfTextIds(config);
  const json = {
    ...config.beginOfTextId !== undefined && { bos_token_id: config.beginOfTextId },
    ...end !== undefined && { eos_token_id: more.length > 0 ? [end, ...more] : end },
    // What fills up sequences that ended: without it `generate` warns, and takes the same.
    ...end !== undefined && { pad_token_id: end },
  };
  return stageFile(`${directory}/${FILE}`, JSON.stringify(json, null, 2) + "\n");
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
