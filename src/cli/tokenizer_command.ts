/**
 * `vitrail tokenizer`: train a tokenizer, or try one.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { loadTokenizer } from "../tokenizers/tokenizer.ts";
import { oneOf } from "./choices.ts";
import { idList, whole } from "./numbers.ts";
import { makeOutput } from "./output.ts";
import { chooseTokenizer } from "./tokens.ts";

/** Adds the command to the program. */
export function addTokenizer(program: Command): void {
  const command = program.command("tokenizer").description("train a tokenizer, or try one");
  command.command("train")
    .description("learn a vocabulary from a text")
    .requiredOption("--data <source>", "text file, folder, .jsonl or a corpus name")
    .requiredOption("--out <directory>", "where tokenizer.json goes")
    .option("--kind <kind>", "bpe or characters", oneOf("bpe", "characters"), "bpe")
    .option("--vocabulary <n>", "tokens in all", whole(3))
    .option("--special <token...>", "special tokens", ["<|endoftext|>"])
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .action(async (flags) => {
      makeOutput(flags.out);
      const tokenizer = await chooseTokenizer(flags.data, {
        ...flags,
        specialTokens: flags.special,
      });
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
      const tokenizer = await loadTokenizer(flags.model);
      const wrong = ids.find((id: number) => id >= tokenizer.vocabularySize);
      if (wrong !== undefined) {
        throw new VitrailError(
          `Cannot decode ${wrong}: the tokenizer has ids from 0 to ${tokenizer.vocabularySize - 1}`,
        );
      }
      console.log(tokenizer.decode(ids));
    });
}
