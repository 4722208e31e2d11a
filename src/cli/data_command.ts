/**
 * `vitrail data`: what a source holds, and the corpora there are.
 *
 * @module
 */
import type { Command } from "commander";
import { CORPORA } from "../data/corpora.ts";
import { readDocuments } from "../data/documents.ts";

/** Adds the command to the program. */
export function addData(program: Command): void {
  program.command("data")
    .description("count the documents of a source, or list the corpora there are")
    .argument("[source]", "text file, folder, .jsonl, - or a corpus name")
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--json", "print one JSON object", false)
    .action(async (source, flags) => {
      if (!source) {
        for (const [name, { title }] of Object.entries(CORPORA)) console.log(`${name}: ${title}`);
        return;
      }
      let [documents, characters] = [0, 0];
      for await (const { text } of readDocuments(source, flags)) {
        documents++;
        characters += text.length;
      }
      console.log(
        flags.json
          ? JSON.stringify({ source, documents, characters })
          : `${source}: ${documents} documents, ${characters} characters`,
      );
    });
}
