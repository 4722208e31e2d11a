/**
 * Tokenized text on disk: written once, read a window at a time, never held whole.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { writeFileAtomic } from "../../formats/atomic_file.ts";
import { readJson, readJsonObject } from "../../formats/json_file.ts";
import {
  absent,
  count,
  countOrNone,
  either,
  listOf,
  object,
  oneOf,
  type Rule,
  text,
} from "../../formats/json_rules.ts";
import { describeIoError, showPath } from "../../formats/messages.ts";
import type { Document } from "../sources/documents.ts";
import { type Side, splitDocuments } from "../split.ts";
import { type Shard, ShardWriter, TokenStream } from "./token_stream.ts";

export { TokenStream };

/** What tokenizing needs of a tokenizer. */
export interface Encoder {
  /** Number of ids. */
  readonly vocabularySize: number;
  /** Written after each document, if there is one. */
  readonly endOfText: number | undefined;
  /** Ids of a text. */
  encode(text: string): Uint32Array;
}

const FORMAT = "vitrail.tokens.1";

/** One side of the split. */
export interface StreamIndex {
  /** Number of tokens. */
  tokens: number;
  /** UTF-8 bytes of their text. */
  bytes: number;
  /** Number of documents. */
  documents: number;
  /** The files that hold the tokens, in order. */
  shards: Shard[];
}

/** `tokens.json` of a tokenized corpus. */
export interface DatasetIndex {
  /** Tells this file from others of its name. */
  format: typeof FORMAT;
  /** Where the text is from, in words. */
  source?: string;
  /** Hash of all that decides the tokens; another text or tokenizer has another. */
  fingerprint?: string;
  /** Hash of the tokenizer alone. */
  tokenizer?: string;
  /** Number of ids of the tokenizer. */
  vocabularySize: number;
  /** Bytes of a token on disk. */
  bytesPerToken: 2 | 4;
  /** Trained on. */
  train: StreamIndex;
  /** Held out. */
  validation: StreamIndex;
}

/** Tokens in one file: 256 MiB at two bytes each. */
const SHARD_TOKENS = 1 << 27;

/** Names of our files; nothing else in a directory is ever removed. */
const SHARD_NAME = /^(train|validation)-[0-9a-f]{8}-\d{5}\.bin$/;

/** How to tokenize. */
export interface TokenizeOptions {
  /** Where the tokens go; it is made if it is missing. */
  directory: string;
  /** Part of the text that is held out; default 0.1. */
  validationFraction?: number;
  /** Kept in the index: where the text is from. */
  source?: string;
  /** Kept in the index, to tell later whether the tokens are still those of the text. */
  fingerprint?: string;
  /** Kept in the index: hash of the tokenizer. */
  tokenizer?: string;
  /** Tokens in one file, at most; default 2²⁷. */
  shardTokens?: number;
  /** Told after each document. */
  onProgress?: (progress: { documents: number; bytes: number; tokens: number }) => void;
}

/**
 * Tokenizes documents into `directory`. The index is written last and in one step: until then, an
 * older dataset in the directory is whole and in use. No more than one document is held in memory.
 *
 * A document goes to one side by a hash of its text, so that a copy of it goes there too; where that
 * would leave a side empty, the last document is cut and its tail held out.
 *
 * @throws {VitrailError} if there is no text, or the tokens cannot be written.
 */
export async function tokenizeCorpus(
  documents: AsyncIterable<Document>,
  encoder: Encoder,
  options: TokenizeOptions,
): Promise<DatasetIndex> {
  const { directory, validationFraction = 0.1, source, fingerprint, tokenizer, onProgress } =
    options;
  makeFolder(directory);
  const bytesPerToken = encoder.vocabularySize > 1 << 16 ? 4 : 2;
  const run = crypto.randomUUID().slice(0, 8);
  const open = (side: Side) => {
    const shards = new ShardWriter(directory, {
      nameOf: (n) => `${side}-${run}-${String(n).padStart(5, "0")}.bin`,
      bytesPerToken,
      most: options.shardTokens ?? SHARD_TOKENS,
    });
    return { shards, index: { tokens: 0, bytes: 0, documents: 0, shards: shards.shards } };
  };
  const sides = { train: open("train"), validation: open("validation") };
  const total = { documents: 0, bytes: 0, tokens: 0 };
  const utf8 = new TextEncoder();
  let written = false;
  try {
    for await (const { side, document } of splitDocuments(documents, validationFraction)) {
      const ids = encoder.encode(document.text);
      const { shards, index } = sides[side];
      shards.write(ids);
      if (encoder.endOfText !== undefined) shards.write(Uint32Array.of(encoder.endOfText));
      const tokens = ids.length + (encoder.endOfText === undefined ? 0 : 1);
      const bytes = utf8.encode(document.text).length;
      for (const count of [index, total]) {
        count.tokens += tokens;
        count.bytes += bytes;
        count.documents++;
      }
      onProgress?.(total);
    }
    if (total.documents === 0) {
      throw new VitrailError(
        "Cannot tokenize an empty corpus: give at least one text with words in it",
      );
    }
    sides.train.shards.close();
    sides.validation.shards.close();
    const index: DatasetIndex = {
      format: FORMAT,
      source,
      fingerprint,
      tokenizer,
      vocabularySize: encoder.vocabularySize,
      bytesPerToken,
      train: sides.train.index,
      validation: sides.validation.index,
    };
    writeFileAtomic(`${directory}/tokens.json`, JSON.stringify(index, null, 2) + "\n");
    written = true;
    return index;
  } finally {
    sides.train.shards[Symbol.dispose]();
    sides.validation.shards[Symbol.dispose]();
    // Of the older dataset after success, of this one after a fault.
    removeShards(directory, (name) => name.includes(`-${run}-`) !== written);
  }
}

function makeFolder(directory: string): void {
  try {
    Deno.mkdirSync(directory, { recursive: true });
  } catch (cause) {
    throw new VitrailError(`Cannot make ${showPath(directory)}: ${describeIoError(cause)}`, {
      cause,
    });
  }
}

function removeShards(directory: string, which: (name: string) => boolean): void {
  try {
    for (const { name } of Deno.readDirSync(directory)) {
      if (SHARD_NAME.test(name) && which(name)) Deno.removeSync(`${directory}/${name}`);
    }
  } catch {
    // A leftover file harms nothing; a fault that is under way is the one to report.
  }
}

/** A tokenized corpus. */
export interface Dataset extends DatasetIndex {
  /** Opens one side. */
  open(side: Side): TokenStream;
}

/**
 * Whether a directory holds what `tokenizeCorpus` wrote, be it whole or damaged: its index, or tokens
 * beside a file of the index's name.
 */
export function isDataset(directory: string): boolean {
  const path = `${directory}/tokens.json`;
  try {
    if (!Deno.statSync(path).isFile) return false;
    for (const { name } of Deno.readDirSync(directory)) if (SHARD_NAME.test(name)) return true;
    return readJsonObject(path).format === FORMAT;
  } catch {
    return false;
  }
}

/** Only plain names of ours: an index must not lead out of its directory. */
const shardRule: Rule<Shard> = object({
  file: {
    wanted: "the name of a file that `data prepare` wrote, such as train-0a1b2c3d-00000.bin",
    holds: (v) => typeof v === "string" && SHARD_NAME.test(v),
  } as Rule<string>,
  tokens: countOrNone,
});

const streamRule: Rule<StreamIndex> = object({
  tokens: countOrNone,
  bytes: countOrNone,
  documents: countOrNone,
  shards: listOf(shardRule),
});

const indexRule: Rule<DatasetIndex> = object({
  format: oneOf(FORMAT),
  source: either(text, absent),
  fingerprint: either(text, absent),
  tokenizer: either(text, absent),
  vocabularySize: count,
  bytesPerToken: { wanted: "2 or 4", holds: (v) => v === 2 || v === 4 } as Rule<2 | 4>,
  train: streamRule,
  validation: streamRule,
});

function readIndex(directory: string): DatasetIndex {
  const path = `${directory}/tokens.json`;
  const index = readJson(path, indexRule, { wanted: "a folder that `vitrail data prepare` wrote" });
  for (const side of ["train", "validation"] as const) {
    const { tokens, shards } = index[side];
    const sum = shards.reduce((sum, shard) => sum + shard.tokens, 0);
    if (sum === tokens) continue;
    throw new VitrailError(
      `Cannot read ${showPath(path)}: ${side}.tokens is ${tokens}, but its shards hold ${sum}; ` +
        "tokenize the text again",
    );
  }
  return index;
}

/**
 * Opens what `tokenizeCorpus` wrote.
 *
 * @throws {VitrailError} if there is no dataset, or one of its files is missing or cut short
 */
export function openDataset(directory: string): Dataset {
  const index = readIndex(directory);
  const open = (side: Side): TokenStream => new TokenStream(directory, index[side].shards, index);
  // A missing file is told now, and not after an hour of training.
  for (const side of ["train", "validation"] as const) open(side)[Symbol.dispose]();
  return { ...index, open };
}
