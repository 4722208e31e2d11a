/**
 * Tokenizers as the files of a directory describe them.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { parseJson } from "../formats/json_file.ts";
import { anything, object, type Rule } from "../formats/json_rules.ts";
import { showPath } from "../formats/messages.ts";
import { readSmallFile } from "../formats/text_file.ts";
import type { AddedToken } from "./added_tokens.ts";
import { endOfTextOf } from "./end_of_text.ts";
import { checkFit } from "./fitting.ts";
import { JsonTokenizer, type Tokenizer } from "./json_tokenizer.ts";
import { vocabularyRule } from "./models/model.ts";
import {
  addedTokensFileRule,
  checkClass,
  configure,
  namedTokens,
  type SideFiles,
  specialTokensRule,
  tokenizerConfigRule,
} from "./tokenizer_config.ts";
import { byteLevelJson } from "./tokenizer_json.ts";
import { vocabularyTextJson } from "./word_piece_json.ts";

export {
  type DecodeOptions,
  JsonTokenizer,
  type StreamOptions,
  type Tokenizer,
} from "./json_tokenizer.ts";

/**
 * Loads a tokenizer from a file, or from a directory with `tokenizer.json`, with GPT-2's
 * `vocab.json` and `merges.txt`, or with BERT's `vocab.txt`. In a directory, `tokenizer_config.json`,
 * `special_tokens_map.json` and `added_tokens.json` count too. Which token ends a text is what
 * `generation_config.json`, `config.json` or `tokenizer_config.json` beside it say.
 *
 * @throws {VitrailError} if there is none, it cannot be understood, or it does not belong to the model
 * whose `config.json` is there
 */
// deno-lint-ignore require-await -- a fault is a rejection, as callers have it
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const tokenizer = openTokenizer(path);
  const directory = path.endsWith(".json") ? path.replace(/[^/]*$/, ".") : path;
  tokenizer.endOfText = endOfTextOf(directory, {
    vocabularySize: tokenizer.vocabularySize,
    endOfText: tokenizer.endOfText,
    // A token that a configuration adds to the vocabulary is none that a model learnt to write.
    tokenToId: (token) => hasToken(tokenizer, token) ? tokenizer.tokenToId(token) : undefined,
  });
  return tokenizer;
}

function hasToken(tokenizer: JsonTokenizer, token: string): boolean {
  const id = tokenizer.tokenToId(token);
  return id !== undefined && id < tokenizer.ownSize;
}

function openTokenizer(path: string): JsonTokenizer {
  if (path.endsWith(".json")) {
    const bytes = readIfThere(path);
    if (bytes) return new JsonTokenizer(parseJson(bytes, anything, { shown: path }), path);
  }
  const files = sideFiles(path);
  const whole = `${path}/tokenizer.json`;
  const json = readIfThere(whole);
  if (json) return open(parseJson(json, anything, { shown: whole }), files, whole);
  const pieces = readIfThere(`${path}/vocab.txt`);
  if (pieces) {
    checkClass("vocab.txt", path, files);
    return open(
      vocabularyTextJson(textOf(pieces, `${path}/vocab.txt`), files),
      files,
      `${path}/vocab.txt`,
    );
  }
  const vocab = readIfThere(`${path}/vocab.json`);
  const merges = readIfThere(`${path}/merges.txt`);
  if (!vocab || !merges) {
    throw new VitrailError(
      `Cannot find a tokenizer in ${path}: wanted tokenizer.json, or vocab.json and ` +
        "merges.txt, or vocab.txt; " +
        "train one with `vitrail tokenizer train`, or give token ids with --ids where a command " +
        "has it",
    );
  }
  checkClass("vocab.json", path, files);
  const own = byteLevelJson({
    vocabulary: parseJson(vocab, vocabularyRule, { shown: `${path}/vocab.json` }),
    // Lines may end as on Windows.
    merges: textOf(merges, `${path}/merges.txt`).replace(/\r?\n$/, "").split(/\r?\n/),
    specialTokens: ["<|endoftext|>"],
  });
  return open(own, files, `${path}/vocab.json and merges.txt`);
}

/** A tokenizer with what the files beside it say, for the model that is there. */
function open(json: unknown, files: SideFiles, source: string): JsonTokenizer {
  const tokenizer = openConfigured(json, files, source);
  const { vocabularySize } = files;
  if (vocabularySize !== undefined) {
    const names = { tokenizerName: source, modelName: "the model of the config.json beside it" };
    checkFit(tokenizer, { vocabularySize }, names);
  }
  return tokenizer;
}

/** A tokenizer whose added tokens have the ids that their order gives them. */
function openConfigured(json: unknown, files: SideFiles, source: string): JsonTokenizer {
  const configured = configure(json, files) as { added_tokens?: AddedToken[] };
  const tokenizer = new JsonTokenizer(configured, source);
  if (configured.added_tokens === (json as typeof configured).added_tokens) {
    tokenizer.namedTokens = namedTokens(files);
    return tokenizer;
  }
  const byContent = new Map<string, AddedToken>();
  for (const token of configured.added_tokens ?? []) {
    const id = tokenizer.tokenToId(token.content);
    if (id !== undefined) byContent.set(token.content, { ...token, id });
  }
  const added_tokens = [...byContent.values()].sort((a, b) => a.id - b.id);
  const settled = new JsonTokenizer({ ...configured, added_tokens }, source);
  const own = (json as typeof configured).added_tokens ?? [];
  settled.ownSize = own.reduce(
    (most, { content }) => Math.max(most, tokenizer.tokenToId(content)! + 1),
    settled.modelSize,
  );
  settled.namedTokens = namedTokens(files);
  return settled;
}

function sideFiles(path: string): SideFiles {
  const read = <T>(name: string, rule: Rule<T>): T | undefined => {
    const bytes = readIfThere(`${path}/${name}`);
    return bytes && parseJson(bytes, rule, { shown: `${path}/${name}` });
  };
  return {
    config: read("tokenizer_config.json", tokenizerConfigRule),
    specialTokens: read("special_tokens_map.json", specialTokensRule),
    addedTokens: read("added_tokens.json", addedTokensFileRule),
    ...modelOf(read("config.json", object({ model_type: anything, vocab_size: anything }))),
  };
}

/** What is asked of a model's own configuration; who reads the model reports its faults. */
function modelOf(
  config: { model_type?: unknown; vocab_size?: unknown } = {},
): Pick<SideFiles, "modelType" | "vocabularySize"> {
  const { model_type, vocab_size } = config;
  return {
    modelType: model_type,
    vocabularySize: Number.isSafeInteger(vocab_size) ? vocab_size as number : undefined,
  };
}

/** A file's text without the mark that some editors put before it. */
function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new VitrailError(`Cannot read ${showPath(file)}: it is not UTF-8 text`, { cause });
  }
}

/** A file's bytes; nothing if there is no such file. */
function readIfThere(file: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    if (!Deno.statSync(file).isFile) return undefined;
  } catch (cause) {
    const { NotFound, NotADirectory } = Deno.errors;
    if (cause instanceof NotFound || cause instanceof NotADirectory) return undefined;
  }
  return readSmallFile(file);
}
