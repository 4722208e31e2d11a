/**
 * `vitrail data`: what a source holds, the corpora there are, and tokens made ahead of training.
 *
 * @module
 */
import type { Command } from "commander";
import { CORPORA } from "../data/sources/corpora.ts";
import { readDocuments } from "../data/sources/documents.ts";
import { openDataset } from "../data/tokens/shards.ts";
import { real, whole } from "./numbers.ts";
import { addOverwriteFlag, claimDirectory, refuseToReplace } from "./output.ts";
import { print } from "./printer.ts";
import { chooseTokenizer, prepareTokens } from "./tokens.ts";

/** Adds the command to the program. */
export function addData(program: Command): void {
  const command = program.command("data")
    .description("count the documents of a source, or list the corpora there are")
    .argument("[source]", "text file, folder, .jsonl, - or a corpus name")
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--json", "print one JSON object", false)
    .action(async (source, flags) => {
      if (source) await count(source, flags);
      else if (flags.json) print(JSON.stringify({ corpora: titles() }));
      else for (const [name, title] of Object.entries(titles())) print(`${name}: ${title}`);
    });
  addOverwriteFlag(command.command("prepare"))
    .description("tokenize a text once, for many runs: train --data takes the directory")
    .requiredOption("--data <source>", "text file, folder, .jsonl, - or a corpus name")
    .requiredOption("--out <directory>", "where tokens and tokenizer go")
    .option(
      "--tokenizer <kind or directory>",
      "bpe, characters, or a directory with a tokenizer",
      "bpe",
    )
    .option("--vocabulary <n>", "tokens of a new tokenizer", whole(3))
    .option("--validation-fraction <x>", "part of the text held out", real(0, 0.9), 0.1)
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--json", "print one JSON object", false)
    .action(async (_flags, self: Command) => {
      // `data` has flags of the same names, and takes them wherever they stand.
      const flags = self.optsWithGlobals();
      await prepare(flags as PrepareFlags);
    });
}

interface PrepareFlags {
  data: string;
  out: string;
  tokenizer: string;
  vocabulary?: number;
  validationFraction: number;
  textField: string;
  overwrite: boolean;
  json: boolean;
}

async function prepare({ data, out, tokenizer: kind, ...flags }: PrepareFlags): Promise<void> {
  const { textField, vocabulary, validationFraction } = flags;
  // What is there may be what is asked for: it is looked at before anything is replaced.
  const { unfinished } = claimDirectory(out, { replaces: [], ...flags });
  const overwrite = flags.overwrite || unfinished;
  const onReplace = (path: string): void => refuseToReplace([path], { overwrite });
  const place = { directory: out, textField, onReplace };
  const tokenizer = await chooseTokenizer(data, { kind, vocabulary, ...place });
  const { reused } = await prepareTokens(data, tokenizer, { validationFraction, ...place });
  const { train, validation, vocabularySize } = openDataset(out);
  if (flags.json) {
    const side = ({ tokens, documents, bytes }: typeof train) => ({ tokens, documents, bytes });
    const sides = { train: side(train), validation: side(validation) };
    return print(JSON.stringify({ directory: out, reused, vocabularySize, ...sides }));
  }
  print(
    `${reused ? "Found" : "Wrote"} ${out}: ${train.tokens} tokens to train on, ` +
      `${validation.tokens} held out, vocabulary ${vocabularySize}; use it with: train --data ${out}`,
  );
}

async function count(source: string, flags: { textField: string; json: boolean }): Promise<void> {
  let [documents, characters] = [0, 0];
  for await (const { text } of readDocuments(source, flags)) {
    documents++;
    characters += text.length;
  }
  print(
    flags.json
      ? JSON.stringify({ source, documents, characters })
      : `${source}: ${documents} documents, ${characters} characters`,
  );
}

function titles(): Record<string, string> {
  return Object.fromEntries(Object.entries(CORPORA).map(([name, { title }]) => [name, title]));
}
