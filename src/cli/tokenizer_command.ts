/**
 * `vitrail tokenizer`: train a tokenizer, or try one.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { readDocuments } from "../data/sources/documents.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { trainWordPieceTokenizer } from "../tokenizers/train_word_piece.ts";
import { ProgressBar } from "../training/progress.ts";
import { oneOf } from "./choices.ts";
import { idList, whole } from "./numbers.ts";
import { addOverwriteFlag, claimDirectory, removeFiles, TOKENIZER_FILES } from "./output.ts";
import { print, printText } from "./printer.ts";
import { chooseTokenizer } from "./tokens.ts";

/** Flags of `tokenizer train` that say how a WordPiece vocabulary is learnt. */
interface WordPieceFlags {
  vocabulary?: number;
  special?: string[];
  alphabet?: number;
  textField?: string;
}

/** A WordPiece tokenizer of a source, with a progress bar. */
export async function learnWordPiece(source: string, flags: WordPieceFlags): Promise<Tokenizer> {
  const { vocabulary: total = 4096, special, alphabet, textField } = flags;
  async function* texts(): AsyncGenerator<string> {
    for await (const { text } of readDocuments(source, { textField })) yield text;
  }
  using bar = new ProgressBar({ total, label: "tokenizer", unit: "token" });
  return await trainWordPieceTokenizer(texts(), {
    vocabularySize: total,
    specialTokens: special,
    alphabetLimit: alphabet,
    onProgress: (done) => bar.update(done, {}),
  });
}

/** Adds the command to the program. */
export function addTokenizer(program: Command): void {
  const command = program.command("tokenizer").description("train a tokenizer, or try one");
  addOverwriteFlag(command.command("train"))
    .description("learn a vocabulary from a text")
    .requiredOption("--data <source>", "text file, folder, .jsonl or a corpus name")
    .requiredOption("--out <directory>", "where tokenizer.json goes")
    .option(
      "--kind <kind>",
      "bpe, characters, or wordpiece for BERT",
      oneOf("bpe", "characters", "wordpiece"),
      "bpe",
    )
    .option("--vocabulary <n>", "tokens in all", whole(3))
    .option(
      "--special <token...>",
      "special tokens (default: <|endoftext|>; with wordpiece they come after BERT's own)",
    )
    .option("--alphabet <n>", "characters at most, with wordpiece (default: 1000)", whole(1))
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .action(async (flags) => {
      claimDirectory(flags.out, { replaces: TOKENIZER_FILES, overwrite: flags.overwrite });
      const tokenizer = flags.kind === "wordpiece"
        ? await learnWordPiece(flags.data, flags)
        : await chooseTokenizer(flags.data, { ...flags, specialTokens: flags.special });
      // Those of another tokenizer would speak beside the new one.
      removeFiles(flags.out, TOKENIZER_FILES.filter((name) => name !== "tokenizer.json"));
      saveTokenizer(flags.out, tokenizer);
      print(`Wrote ${flags.out}/tokenizer.json with ${tokenizer.vocabularySize} tokens`);
    });
  command.command("encode")
    .description("print the ids of a text")
    .requiredOption("--model <directory>", "directory with a tokenizer")
    .argument("<text>")
    .action(async (text, flags) => {
      print((await loadTokenizer(flags.model)).encode(text).join(","));
    });
  command.command("decode")
    .description("print the text of ids")
    .requiredOption("--model <directory>", "directory with a tokenizer")
    .argument("<ids>", "ids with commas between them", idList)
    .action(async (ids, flags) => {
      const tokenizer = await loadTokenizer(flags.model);
      const wrong = ids.find((id: number) => id >= tokenizer.vocabularySize);
      if (wrong !== undefined) {
        throw new VitrailError(
          `Cannot decode ${wrong}: the tokenizer has ids from 0 to ${tokenizer.vocabularySize - 1}`,
        );
      }
      printText(tokenizer.decode(ids) + "\n");
    });
}
