/**
 * Tokenizers learnt and texts tokenized, with a progress bar.
 *
 * @module
 */
import { readJson } from "../formats/json_file.ts";
import { object, text } from "../formats/json_rules.ts";
import { readDocuments } from "../data/sources/documents.ts";
import { type Prepared, prepareDataset, type PrepareOptions } from "../data/tokens/prepare.ts";
import { hash, sourceState } from "../data/sources/fingerprint.ts";
import { isDataset } from "../data/tokens/shards.ts";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { trainBytePairTokenizer } from "../tokenizers/train_bpe.ts";
import { trainCharacterTokenizer } from "../tokenizers/train_characters.ts";
import { ProgressBar } from "../training/progress.ts";
import { makeOutput } from "./output.ts";
import { printNotice } from "./printer.ts";

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
  /** Where what was learnt is kept. */
  directory?: string;
  /** Told before another tokenizer there is replaced; what it throws leaves all as it was. */
  onReplace?: (path: string) => void;
}

/**
 * The tokenizer of a text: a given one, the one that its tokens were made with, or one learnt from
 * it. With a `directory`, what was learnt is kept there and learnt again only from another text.
 *
 * @throws {VitrailError} if it cannot be loaded, or the text cannot be read
 */
export async function chooseTokenizer(
  source: string,
  choice: TokenizerChoice,
): Promise<Tokenizer> {
  const { directory, onReplace, ...decisive } = choice;
  if (!isLearnt(choice.kind)) return await loadTokenizer(choice.kind);
  if (isDataset(source)) return await loadTokenizer(source);
  if (source === "-") {
    throw new VitrailError(
      "Cannot train a tokenizer from standard input, which is read once: " +
        "give --tokenizer DIRECTORY, or a file",
    );
  }
  if (directory === undefined) return await learn(source, choice);
  const { kind, vocabulary, specialTokens, textField } = decisive;
  const { state } = await sourceState(source);
  const from = await hash({ state, kind, vocabulary, specialTokens, textField });
  const kept = await keptTokenizer(directory, from);
  if (kept) return kept;
  onReplace?.(`${directory}/tokenizer.json`);
  const tokenizer = await learn(source, choice);
  makeOutput(directory);
  saveTokenizer(directory, tokenizer);
  const note = { from, tokenizer: await hash(tokenizer.toJson()) };
  writeFileAtomic(`${directory}/${NOTE}`, JSON.stringify(note) + "\n");
  return tokenizer;
}

/** Says which text and options a tokenizer beside it was learnt from. */
const NOTE = "tokenizer_source.json";

const isLearnt = (kind: string): boolean => ["bpe", "characters"].includes(kind);

/** The tokenizer in a directory, if it was learnt from this and nobody put another there. */
async function keptTokenizer(directory: string, from: string): Promise<Tokenizer | undefined> {
  try {
    const note = readJson(`${directory}/${NOTE}`, object({ from: text, tokenizer: text }));
    if (note.from !== from) return undefined;
    const tokenizer = await loadTokenizer(directory);
    return await hash(tokenizer.toJson()) === note.tokenizer ? tokenizer : undefined;
  } catch {
    return undefined;
  }
}

async function learn(
  source: string,
  { kind, vocabulary, specialTokens, textField }: TokenizerChoice,
): Promise<Tokenizer> {
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
      if (!bar) {
        bar = new ProgressBar({ total: size, label: "tokenize", unit: "byte" });
        // What a killed process did is not counted as the speed of this one.
        bar.begin(bytes);
      }
      bar.update(bytes, { tokens });
    },
  });
  const { train, validation } = prepared.dataset;
  bar?.update(size, { tokens: train.tokens + validation.tokens });
  bar?.finish();
  if (options.resume && prepared.reused && prepared.changed) {
    printNotice(
      `The text in ${source} is not what this run began with; going on with the tokens of then, ` +
        "start anew to use the text of now",
    );
  }
  return prepared;
}
