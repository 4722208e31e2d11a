/**
 * Tokenized text on disk: written once, read a window at a time, never held whole.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { checkOptions, part } from "../../formats/option_rules.ts";
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
  format: "vitrail.tokens.1";
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
  /** Milliseconds between two notes of how far the tokens are; default 3000. */
  noteEvery?: number;
  /** Called when all tokens are written, before the index says so. */
  beforeIndex?: () => void;
  /** Told after each document. */
  onProgress?: (progress: { documents: number; bytes: number; tokens: number }) => void;
}

/**
 * Tokenizes documents into `directory`. The index is written last and in one step: until then, an
 * older dataset in the directory is whole and in use. No more than one document is held in memory.
 *
 * With a `fingerprint`, a process that was killed is gone on with: every few seconds it is noted how far the
 * tokens are, and the next call begins there, to end with the same files.
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
  const { directory, validationFraction = 0.1, source, fingerprint, tokenizer } = options;
  const { noteEvery = NOTE_EVERY, shardTokens = SHARD_TOKENS, onProgress } = options;
  checkOptions("Cannot prepare a text", { validationFraction, shardTokens }, {
    validationFraction: part,
    shardTokens: count,
  });
  makeFolder(directory);
  const bytesPerToken = encoder.vocabularySize > 1 << 16 ? 4 : 2;
  const begun = readPart(directory, fingerprint, bytesPerToken);
  const run = begun?.run ?? freshRun(directory, fingerprint);
  const names = SIDES.flatMap((side) => begun?.[side].shards.map(({ file }) => file) ?? []);
  removeShards(directory, (name) => name.includes(`-${run}-`) && !names.includes(name));
  const open = (side: Side) => {
    const shards = new ShardWriter(directory, {
      nameOf: (n) => nameOf(side, run, n),
      bytesPerToken,
      most: shardTokens,
      written: begun?.[side].shards,
    });
    const { tokens, bytes, documents } = begun?.[side] ?? { tokens: 0, bytes: 0, documents: 0 };
    return { shards, index: { tokens, bytes, documents, shards: shards.shards } };
  };
  const sides = { train: open("train"), validation: open("validation") };
  const sum = (key: "documents" | "bytes" | "tokens"): number =>
    sides.train.index[key] + sides.validation.index[key];
  const total = { documents: sum("documents"), bytes: sum("bytes"), tokens: sum("tokens") };
  const utf8 = new TextEncoder();
  let [seen, noted, written] = [0, performance.now(), false];
  const note = (): void => {
    if (fingerprint === undefined || performance.now() - noted < noteEvery) return;
    for (const side of SIDES) sides[side].shards.flush();
    const { train, validation } = sides;
    const part = { format: PART_FORMAT, fingerprint, bytesPerToken, run };
    const text = JSON.stringify({ ...part, train: train.index, validation: validation.index });
    writeFileAtomic(`${directory}/${PART_FILE}`, text + "\n");
    noted = performance.now();
  };
  try {
    for await (const { side, document } of splitDocuments(documents, validationFraction)) {
      // Read again, which takes little beside encoding.
      if (seen++ < (begun ? begun.train.documents + begun.validation.documents : 0)) continue;
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
      note();
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
    options.beforeIndex?.();
    writeFileAtomic(`${directory}/tokens.json`, JSON.stringify(index, null, 2) + "\n");
    written = true;
    return index;
  } finally {
    sides.train.shards[Symbol.dispose]();
    sides.validation.shards[Symbol.dispose]();
    // Of the older dataset after success, of this one after a fault.
    removeShards(directory, (name) => name.includes(`-${run}-`) !== written);
    removePart(directory);
  }
}

const SIDES = ["train", "validation"] as const;

/** How far a tokenization is that has not come to its end. */
interface Part extends Record<Side, StreamIndex> {
  format: typeof PART_FORMAT;
  fingerprint: string;
  bytesPerToken: 2 | 4;
  run: string;
}

/** Eight hexadecimal digits, which the files of one tokenization have in common. */
const RUN_NAME = /^[0-9a-f]{8}$/;
const PART_FILE = "tokens.part.json";
const PART_FORMAT = "vitrail.tokens.part.1";
const NOTE_EVERY = 3000;

/**
 * How far a process came that was killed over the same text. Nothing if there was none, if its note is damaged,
 * or if its files are not as it left them: then the work begins again.
 */
function readPart(
  directory: string,
  fingerprint: string | undefined,
  bytesPerToken: 2 | 4,
): Part | undefined {
  try {
    const part = readJson(`${directory}/${PART_FILE}`, partRule);
    const same = part.fingerprint === fingerprint && part.bytesPerToken === bytesPerToken;
    return same && SIDES.every((side) => isWhole(directory, part, side)) ? part : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the files of one side hold all the tokens that were noted; the last may hold more. */
function isWhole(directory: string, { run, bytesPerToken, ...part }: Part, side: Side): boolean {
  const { tokens, shards } = part[side];
  return tokens === tokensOf(shards) && shards.every(({ file, tokens }, n) => {
    const { size } = Deno.statSync(`${directory}/${file}`);
    const wanted = tokens * bytesPerToken;
    return file === nameOf(side, run, n) && tokens > 0 &&
      (n < shards.length - 1 ? size === wanted : size >= wanted);
  });
}

const nameOf = (side: Side, run: string, n: number): string =>
  `${side}-${run}-${String(n).padStart(5, "0")}.bin`;

const tokensOf = (shards: readonly Shard[]): number =>
  shards.reduce((sum, { tokens }) => sum + tokens, 0);

/** A name for the files: that of their text, unless a dataset of that name is in use. */
function freshRun(directory: string, fingerprint: string | undefined): string {
  const name = fingerprint?.slice(0, 8) ?? "";
  const own = RUN_NAME.test(name) && !inUse(directory).some((file) => file.includes(`-${name}-`));
  return own ? name : crypto.randomUUID().slice(0, 8);
}

/** The files of the dataset that a directory holds. */
function inUse(directory: string): string[] {
  try {
    const index = readIndex(directory);
    return SIDES.flatMap((side) => index[side].shards.map(({ file }) => file));
  } catch {
    return []; // There is none, or none that can be used.
  }
}

function removePart(directory: string): void {
  try {
    Deno.removeSync(`${directory}/${PART_FILE}`);
  } catch {
    // It was never written.
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

const bytesRule = { wanted: "2 or 4", holds: (v) => v === 2 || v === 4 } as Rule<2 | 4>;

const indexRule: Rule<DatasetIndex> = object({
  format: oneOf(FORMAT),
  source: either(text, absent),
  fingerprint: either(text, absent),
  tokenizer: either(text, absent),
  vocabularySize: count,
  bytesPerToken: bytesRule,
  train: streamRule,
  validation: streamRule,
});

const partRule: Rule<Part> = object({
  format: oneOf(PART_FORMAT),
  fingerprint: text,
  bytesPerToken: bytesRule,
  run: {
    wanted: "eight hexadecimal digits",
    holds: (v) => typeof v === "string" && RUN_NAME.test(v),
  } as Rule<string>,
  train: streamRule,
  validation: streamRule,
});

function readIndex(directory: string): DatasetIndex {
  const path = `${directory}/tokens.json`;
  const index = readJson(path, indexRule, { wanted: "a folder that `vitrail data prepare` wrote" });
  for (const side of SIDES) {
    const { tokens, shards } = index[side];
    const sum = tokensOf(shards);
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
