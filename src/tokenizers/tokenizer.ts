/**
 * Tokenizers as the files of a directory describe them.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { endOfTextOf } from "./end_of_text.ts";
import { JsonTokenizer, type Tokenizer } from "./json_tokenizer.ts";
import { byteLevelJson } from "./tokenizer_json.ts";
import { type BertTokenizerConfig, vocabularyTextJson } from "./word_piece_json.ts";

export { type DecodeOptions, JsonTokenizer, type Tokenizer } from "./json_tokenizer.ts";

/**
 * Loads a tokenizer from a file, or from a directory with `tokenizer.json`, with GPT-2's
 * `vocab.json` and `merges.txt`, or with BERT's `vocab.txt`. Which token ends a text is what
 * `generation_config.json`, `config.json` or `tokenizer_config.json` beside it say.
 *
 * @throws {VitrailError} if there is none, or it cannot be understood.
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const tokenizer = await openTokenizer(path);
  const directory = path.endsWith(".json") ? path.replace(/[^/]*$/, ".") : path;
  tokenizer.endOfText = endOfTextOf(directory, tokenizer);
  return tokenizer;
}

async function openTokenizer(path: string): Promise<JsonTokenizer> {
  const text = path.endsWith(".json") ? await read(path) : undefined;
  if (text !== undefined) return new JsonTokenizer(parse(text, path), path);
  const inside = `${path}/tokenizer.json`;
  const json = await read(inside);
  if (json !== undefined) return new JsonTokenizer(parse(json, inside), inside);
  const lines = await read(`${path}/vocab.txt`);
  if (lines !== undefined) {
    const config = `${path}/tokenizer_config.json`;
    const settings = parse(await read(config) ?? "{}", config) as BertTokenizerConfig;
    return new JsonTokenizer(vocabularyTextJson(lines, settings), `${path}/vocab.txt`);
  }
  const [vocabulary, merges] = [await read(`${path}/vocab.json`), await read(`${path}/merges.txt`)];
  if (vocabulary === undefined || merges === undefined) {
    throw new VitrailError(
      `Cannot find a tokenizer in ${path}: wanted tokenizer.json, or vocab.json and ` +
        "merges.txt, or vocab.txt; " +
        "train one with `vitrail tokenizer train`, or give token ids with --ids where a command " +
        "has it",
    );
  }
  return new JsonTokenizer(
    byteLevelJson({
      vocabulary: parse(vocabulary, `${path}/vocab.json`) as Record<string, number>,
      merges: merges.split("\n").filter((line) => line !== "" && !line.startsWith("#version")),
      specialTokens: ["<|endoftext|>"],
    }),
    `${path}/vocab.json`,
  );
}

/** A file's text; nothing if there is no such file. */
async function read(file: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    const { NotFound, NotADirectory, IsADirectory } = Deno.errors;
    if ([NotFound, NotADirectory, IsADirectory].some((kind) => cause instanceof kind)) {
      return undefined;
    }
    throw new VitrailError(`Cannot read the tokenizer ${file}: ${(cause as Error).message}`);
  }
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/\s+/g, " ");
    throw new VitrailError(`Cannot read ${path}: it is not JSON (${reason})`);
  }
}
