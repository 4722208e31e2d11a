/**
 * The tokens of a source: those on disk if they are still right, or made anew.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { readJson } from "../../formats/json_file.ts";
import { anything } from "../../formats/json_rules.ts";
import { showPath } from "../../formats/messages.ts";
import { saveTokenizer } from "../../tokenizers/save_tokenizer.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { type DocumentOptions, readDocuments } from "../sources/documents.ts";
import { hash, sourceState } from "../sources/fingerprint.ts";
import { type Dataset, isDataset, openDataset, tokenizeCorpus } from "./shards.ts";

/** How to prepare a source. */
export interface PrepareOptions extends DocumentOptions {
  /** Where the tokens are kept, with the tokenizer that made them. */
  directory: string;
  /** Part of the text that is held out; default 0.1. */
  validationFraction?: number;
  /** Tokens in one file, at most; default 2²⁷. */
  shardTokens?: number;
  /**
   * Go on with the tokens that are there even if the text has changed since or is gone: a run that
   * is resumed sees the batches it would have seen.
   */
  resume?: boolean;
  /**
   * Told before a file of the directory is replaced by another one; what it throws leaves all as it was.
   * Without it, tokens of another text or tokenizer are replaced.
   */
  onReplace?: (path: string) => void;
  /** Told after each document; `total` is about how many bytes of text there are, 0 if unknown. */
  onProgress?: (progress: { bytes: number; total: number; tokens: number }) => void;
}

/** Tokens, and how they came about. */
export interface Prepared {
  /** The tokens. */
  dataset: Dataset;
  /** Whether they were on disk already. */
  reused: boolean;
  /** Whether the text, the tokenizer or an option is no longer what the tokens were made of. */
  changed: boolean;
}

/**
 * Tokenizes a source into a directory, unless the directory holds its tokens already: made of the
 * same files (by path, size and time of writing), with the same tokenizer and options. A source that
 * is such a directory itself is opened.
 *
 * @throws {VitrailError} if the source cannot be read or the tokens cannot be written
 */
export async function prepareDataset(
  source: string,
  tokenizer: Tokenizer,
  options: PrepareOptions,
): Promise<Prepared> {
  const { directory, validationFraction = 0.1, textField = "text", resume } = options;
  const { onReplace, onProgress } = options;
  if (isDataset(source)) return await openPrepared(source, tokenizer);
  const there = usable(directory);
  let state: Awaited<ReturnType<typeof sourceState>>;
  try {
    state = await sourceState(source);
  } catch (error) {
    if (resume && there) return { dataset: there, reused: true, changed: true };
    throw error;
  }
  const made = await hash(tokenizer.toJson());
  const fingerprint = state.state === undefined ? undefined : await hash({
    text: state.state,
    textField,
    validationFraction,
    shardTokens: options.shardTokens,
    tokenizer: made,
  });
  if (there) {
    const same = fingerprint !== undefined && there.fingerprint === fingerprint;
    // Standard input has no fingerprint, and cannot be read again either.
    if (same || resume) {
      return { dataset: there, reused: true, changed: !same && fingerprint !== undefined };
    }
  }
  if (hasIndex(directory)) onReplace?.(`${directory}/tokens.json`);
  const kept = await keptTokenizer(directory);
  if (kept !== undefined && kept !== made) onReplace?.(`${directory}/tokenizer.json`);
  await tokenizeCorpus(readDocuments(source, { textField }), tokenizer, {
    directory,
    validationFraction,
    source,
    fingerprint,
    tokenizer: made,
    shardTokens: options.shardTokens,
    onProgress: ({ bytes, tokens }) => onProgress?.({ bytes, total: state.bytes, tokens }),
    // The index says that all is there, so it comes last.
    beforeIndex: () => {
      if (kept === made) return;
      saveTokenizer(directory, tokenizer);
    },
  });
  return { dataset: openDataset(directory), reused: false, changed: there !== undefined };
}

/** The dataset in a directory; nothing if there is none, or it is damaged. */
function usable(directory: string): Dataset | undefined {
  try {
    return isDataset(directory) ? openDataset(directory) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether something lies where the index would; it may be damaged. */
function hasIndex(directory: string): boolean {
  try {
    return Deno.lstatSync(`${directory}/tokens.json`) !== undefined;
  } catch {
    return false;
  }
}

/** The hash of the tokenizer in a directory; nothing if there is none, an empty text if it is damaged. */
async function keptTokenizer(directory: string): Promise<string | undefined> {
  const path = `${directory}/tokenizer.json`;
  try {
    Deno.statSync(path);
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? undefined : "";
  }
  try {
    return await hash(readJson(path, anything));
  } catch {
    return "";
  }
}

async function openPrepared(directory: string, tokenizer: Tokenizer): Promise<Prepared> {
  const dataset = openDataset(directory);
  if (dataset.tokenizer !== await hash(tokenizer.toJson())) {
    throw new VitrailError(
      `Cannot use the tokens in ${showPath(directory)}: another tokenizer made them; ` +
        `give --tokenizer ${showPath(directory)}, or prepare the text with the one you want`,
    );
  }
  return { dataset, reused: true, changed: false };
}
