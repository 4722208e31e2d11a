/**
 * `vitrail tokenizer`: train a tokenizer, or try one.
 *
 * @module
 */
import type { Command } from "commander";
import { readDocuments } from "../data/documents.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { loadTokenizer } from "../tokenizers/tokenizer.ts";
import { trainBytePairTokenizer } from "../tokenizers/train_bpe.ts";
import { trainCharacterTokenizer } from "../tokenizers/train_characters.ts";
import { ProgressBar } from "../training/progress.ts";
import { idList, whole } from "./numbers.ts";

/** Adds the command to the program. */
export function addTokenizer(program: Command): void {
  const command = program.command("tokenizer").description("train a tokenizer, or try one");
  command.command("train")
    .description("learn a vocabulary from a text")
    .requiredOption("--data <source>", "text file, folder, .jsonl or a corpus name")
    .requiredOption("--out <directory>", "where tokenizer.json goes")
    .option("--kind <kind>", "bpe or characters", "bpe")
    .option("--vocabulary <n>", "tokens in all", whole(3))
    .option("--special <token...>", "special tokens", ["<|endoftext|>"])
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .action(async (flags) => {
      async function* texts(): AsyncGenerator<string> {
        for await (const { text } of readDocuments(flags.data, flags)) yield text;
      }
      const total = flags.vocabulary ?? 4096;
      const bar = new ProgressBar({ total, label: "tokenizer" });
      const make = flags.kind === "characters" ? trainCharacterTokenizer : trainBytePairTokenizer;
      const tokenizer = await make(texts(), {
        vocabularySize: flags.vocabulary,
        specialTokens: flags.special,
        onProgress: (done) => bar.update(done, {}),
      });
      bar.finish();
      Deno.mkdirSync(flags.out, { recursive: true });
      writeFileAtomic(`${flags.out}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
      console.log(`Wrote ${flags.out}/tokenizer.json with ${tokenizer.vocabularySize} tokens`);
    });
  command.command("encode")
    .description("print the ids of a text")
    .requiredOption("--model <directory>", "directory with a tokenizer")
    .argument("<text>")
    .action(async (text, flags) => {
      console.log((await loadTokenizer(flags.model)).encode(text).join(","));
    });
  command.command("decode")
    .description("print the text of ids")
    .requiredOption("--model <directory>", "directory with a tokenizer")
    .argument("<ids>", "ids with commas between them", idList)
    .action(async (ids, flags) => {
      console.log((await loadTokenizer(flags.model)).decode(ids));
    });
}
