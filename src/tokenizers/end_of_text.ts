/**
 * The token that ends a text, as the files of a directory name it.
 *
 * @module
 */
import { readGenerationEnd } from "../formats/generation_config.ts";
import { readJsonObject } from "../formats/json_file.ts";

/** What is asked of a tokenizer. */
interface Vocabulary {
  vocabularySize: number;
  /** The end that its vocabulary suggests. */
  endOfText: number | undefined;
  tokenToId(token: string): number | undefined;
}

/**
 * The end of a text for the tokenizer of a directory: what `generation_config.json` says, or else
 * `config.json`, or else the tokenizer's own files, or else its vocabulary. If a model has several ends, it is
 * the tokenizer's own if that is one of them, and the first otherwise. Ids that the tokenizer does not
 * have do not count.
 *
 * A file that cannot be read says nothing here: who reads the model reports it.
 */
export function endOfTextOf(directory: string, tokenizer: Vocabulary): number | undefined {
  const own = tokenId(read(directory, "tokenizer_config.json").eos_token, tokenizer) ??
    tokenId(read(directory, "special_tokens_map.json").eos_token, tokenizer) ??
    tokenizer.endOfText;
  const ends = modelEnds(directory).filter((id) => id < tokenizer.vocabularySize);
  return ends.length === 0 || ends.includes(own!) ? own : ends[0];
}

/** The ids that a model's directory names. */
function modelEnds(directory: string): number[] {
  for (
    const named of [
      orNothing(() => readGenerationEnd(directory)),
      read(directory, "config.json").eos_token_id,
    ]
  ) {
    const ids = [named].flat().filter((id) => Number.isSafeInteger(id) && (id as number) >= 0);
    if (ids.length > 0) return ids as number[];
  }
  return [];
}

/** The id of a token that a file names, as text or as an object with its `content`. */
function tokenId(named: unknown, tokenizer: Vocabulary): number | undefined {
  const content = typeof named === "object" && named !== null && "content" in named
    ? named.content
    : named;
  return typeof content === "string" ? tokenizer.tokenToId(content) : undefined;
}

function read(directory: string, name: string): Record<string, unknown> {
  return orNothing(() => readJsonObject(`${directory}/${name}`)) ?? {};
}

function orNothing<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
