/**
 * Tokenizers learnt and texts tokenized, with a progress bar.
 *
 * @module
 */
import { readDocuments } from "../data/documents.ts";
import { type Prepared, prepareDataset, type PrepareOptions } from "../data/prepare.ts";
import { isDataset } from "../data/shards.ts";
import { VitrailError } from "../errors.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { trainBytePairTokenizer } from "../tokenizers/train_bpe.ts";
import { trainCharacterTokenizer } from "../tokenizers/train_characters.ts";
import { ProgressBar } from "../training/progress.ts";

/** Which tokenizer a text gets. */
export interface TokenizerChoice {
  /** `bpe`, `characters`, or a directory with a tokenizer. */
  kind: string;
  /** Tokens of a new tokenizer; all characters if absent. */
  vocabulary?: number;
  /** Special tokens of a new tokenizer. */
  specialTokens?: string[];
  /** Field of a JSONL record with the text. */
  textField?: string;
}

/**
 * The tokenizer of a text: a given one, the one that its tokens were made with, or one learnt from
 * it.
 *
 * @throws {VitrailError} if it cannot be loaded, or the text cannot be read
 */
export async function chooseTokenizer(
  source: string,
  { kind, vocabulary, specialTokens, textField }: TokenizerChoice,
): Promise<Tokenizer> {
  if (!["bpe", "characters"].includes(kind)) return await loadTokenizer(kind);
  if (isDataset(source)) return await loadTokenizer(source);
  if (source === "-") {
    throw new VitrailError(
      "Cannot train a tokenizer from standard input, which is read once: " +
        "give --tokenizer DIRECTORY, or a file",
    );
  }
  async function* texts(): AsyncGenerator<string> {
    for await (const { text } of readDocuments(source, { textField })) yield text;
  }
  if (kind === "characters") {
    return await trainCharacterTokenizer(texts(), { vocabularySize: vocabulary, specialTokens });
  }
  const total = vocabulary ?? 4096;
  using bar = new ProgressBar({ total, label: "tokenizer", unit: "token" });
  return await trainBytePairTokenizer(texts(), {
    vocabularySize: total,
    specialTokens,
    onProgress: (done) => bar.update(done, {}),
  });
}

/** The tokens of a source, made only if they are not there: see `prepareDataset`. */
export async function prepareTokens(
  source: string,
  tokenizer: Tokenizer,
  options: Omit<PrepareOptions, "onProgress">,
): Promise<Prepared> {
  let bar: ProgressBar | undefined;
  let size = 0;
  const prepared = await prepareDataset(source, tokenizer, {
    ...options,
    onProgress: ({ bytes, total, tokens }) => {
      // How much is to come on standard input, nobody knows.
      size = Math.max(total, bytes);
      bar ??= new ProgressBar({ total: size, label: "tokenize", unit: "byte" });
      bar.update(bytes, { tokens });
    },
  });
  const { train, validation } = prepared.dataset;
  bar?.update(size, { tokens: train.tokens + validation.tokens });
  bar?.finish();
  if (options.resume && prepared.reused && prepared.changed) {
    console.error(
      `The text in ${source} is not what this run began with; going on with the tokens of then, ` +
        "start anew to use the text of now",
    );
  }
  return prepared;
}
