/**
 * What a run needs before its first step: a tokenizer and tokens.
 *
 * @module
 */
import { readDocuments } from "../data/documents.ts";
import { type Dataset, openDataset, tokenizeCorpus } from "../data/shards.ts";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { trainBytePairTokenizer } from "../tokenizers/train_bpe.ts";
import { trainCharacterTokenizer } from "../tokenizers/train_characters.ts";
import { ProgressBar } from "../training/progress.ts";
import type { TrainFlags } from "./train_command.ts";

/**
 * Reads the first document, so that a wrong `--data` is told before anything is replaced.
 *
 * @throws {VitrailError} when the source cannot be read
 */
export async function checkData(flags: TrainFlags): Promise<void> {
  if (flags.data === "-") return; // it can be read only once
  for await (const _ of readDocuments(flags.data, flags)) return;
}

async function* texts(flags: TrainFlags): AsyncGenerator<string> {
  for await (const { text } of readDocuments(flags.data, flags)) yield text;
}

/** The tokenizer of a run: its own, a given one, or one learnt from its text. */
export async function tokenizerFor(flags: TrainFlags): Promise<Tokenizer> {
  const { out, tokenizer: kind, vocabulary } = flags;
  if (flags.resume) return await loadTokenizer(out);
  let tokenizer: Tokenizer;
  if (flags.from || !["bpe", "characters"].includes(kind)) {
    tokenizer = await loadTokenizer(flags.from ?? kind);
  } else if (flags.data === "-") {
    throw new VitrailError(
      "Cannot train a tokenizer from standard input, which is read once: " +
        "give --tokenizer DIRECTORY, or a file",
    );
  } else if (kind === "characters") {
    tokenizer = await trainCharacterTokenizer(texts(flags));
  } else {
    const bar = new ProgressBar({ total: vocabulary, label: "tokenizer" });
    tokenizer = await trainBytePairTokenizer(texts(flags), {
      vocabularySize: vocabulary,
      onProgress: (done) => bar.update(done, {}),
    });
    bar.finish();
  }
  writeFileAtomic(`${out}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
  return tokenizer;
}

/** The tokens of a run, tokenized if it has none yet. */
export async function datasetFor(flags: TrainFlags, tokenizer: Tokenizer): Promise<Dataset> {
  const directory = `${flags.out}/data`;
  if (flags.resume) return openDataset(directory);
  let last = 0;
  await tokenizeCorpus(readDocuments(flags.data, flags), tokenizer, {
    directory,
    validationFraction: flags.validationFraction,
    onProgress: ({ bytes, tokens }) => {
      if (performance.now() - last < 1000 || !Deno.stderr.isTerminal()) return;
      last = performance.now();
      console.error(
        `tokenized ${(bytes / 1e6).toFixed(1)} MB, ${tokens.toLocaleString("en")} tokens`,
      );
    },
  });
  return openDataset(directory);
}
