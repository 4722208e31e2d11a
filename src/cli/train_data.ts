/**
 * What a run needs before its first step: a tokenizer and tokens.
 *
 * @module
 */
import { readDocuments } from "../data/sources/documents.ts";
import { type Dataset, isDataset } from "../data/tokens/shards.ts";
import { VitrailError } from "../errors.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { chooseTokenizer, prepareTokens } from "./tokens.ts";
import type { TrainFlags } from "./train_flags.ts";

/**
 * Reads the first document, so that a wrong `--data` is told before anything is replaced.
 *
 * @throws {VitrailError} when the source cannot be read
 */
export async function checkData(flags: TrainFlags): Promise<void> {
  if (flags.data === "-" || isDataset(flags.data)) return; // read once only, or read already
  for await (const _ of readDocuments(flags.data, flags)) return;
}

/** The tokenizer of a run: its own, a given one, or one learnt from its text. */
export async function tokenizerFor(
  flags: TrainFlags,
  contextLength?: number,
): Promise<Tokenizer> {
  const { out } = flags;
  if (flags.resume) return await loadTokenizer(out);
  const kind = flags.from ?? flags.tokenizer;
  // Every character gets an id: --vocabulary has a default, which is meant for merges.
  const vocabulary = kind === "characters" ? undefined : flags.vocabulary;
  const { textField } = flags;
  const choice = { kind, vocabulary, textField, directory: `${out}/data` };
  const tokenizer = await chooseTokenizer(flags.data, choice);
  saveTokenizer(out, tokenizer, { contextLength });
  return tokenizer;
}

/**
 * How many tokens the run's tokenizer has, or will have at most, with nothing written.
 *
 * @throws {VitrailError} if only a text can tell, and there is none
 */
export async function vocabularyOf(flags: TrainFlags): Promise<number> {
  const { data, tokenizer: kind, vocabulary, textField } = flags;
  if (data && isDataset(data)) return (await loadTokenizer(data)).vocabularySize;
  if (kind === "bpe") return vocabulary;
  if (kind === "characters" && !data) {
    throw new VitrailError(
      "Cannot count the characters of a text that is not given: give --data FILE",
    );
  }
  return (await chooseTokenizer(data, { kind, textField })).vocabularySize;
}

/** The tokens of a run, tokenized if it has none of this text yet. */
export async function datasetFor(flags: TrainFlags, tokenizer: Tokenizer): Promise<Dataset> {
  const directory = `${flags.out}/data`;
  return (await prepareTokens(flags.data, tokenizer, { ...flags, directory })).dataset;
}
