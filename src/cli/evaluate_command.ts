/**
 * `vitrail evaluate`: how well a model predicts a text.
 *
 * @module
 */
import type { Command } from "commander";
import { sequentialBatches } from "../data/batches.ts";
import { readDocuments } from "../data/documents.ts";
import { VitrailError } from "../errors.ts";
import { openDevice } from "../gpu/device.ts";
import { loadTokenizer } from "../tokenizers/tokenizer.ts";
import { loadGpt } from "../training/checkpoint.ts";
import { evaluate } from "../training/evaluate.ts";
import { ProgressBar } from "../training/progress.ts";
import { whole } from "./numbers.ts";

/** Adds the command to the program. */
export function addEvaluate(program: Command): void {
  program.command("evaluate")
    .description("loss, perplexity and bits per byte of a text")
    .requiredOption("--model <directory>", "the model")
    .requiredOption("--data <source>", "text file, folder, .jsonl, - or a corpus name")
    .option("--batch <n>", "sequences at once", whole(1), 8)
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--json", "print one JSON object", false)
    .action(async (flags) => {
      const tokenizer = await loadTokenizer(flags.model);
      const device = await openDevice();
      const model = loadGpt(device, flags.model);
      const ids: number[] = [];
      let bytes = 0;
      for await (const { text } of readDocuments(flags.data, flags)) {
        for (const id of tokenizer.encode(text)) ids.push(id);
        bytes += new TextEncoder().encode(text).length;
      }
      if (ids.length < 2) {
        throw new VitrailError(
          `Cannot evaluate ${flags.data}: it has ${ids.length} tokens, and the first is only given; ` +
            "wanted at least 2",
        );
      }
      const sequence = model.config.contextLength;
      const all = Uint32Array.from(ids);
      const tokens = {
        length: all.length,
        read: (offset: number, count: number) => all.subarray(offset, offset + count),
      };
      const bar = new ProgressBar({ total: all.length - 1, label: "evaluate" });
      const found = await evaluate(
        model,
        sequentialBatches(tokens, { batch: flags.batch, sequence }),
        {
          sequence,
          onBatch: (done) => bar.update(done, {}),
        },
      );
      bar.finish();
      const bitsPerByte = found.loss * found.tokens / Math.LN2 / bytes;
      const result = { ...found, bytes, bitsPerByte };
      console.log(
        flags.json
          ? JSON.stringify(result)
          : `loss ${found.loss.toFixed(4)} nats a token, perplexity ${
            found.perplexity.toFixed(2)
          }, ` +
            `${bitsPerByte.toFixed(4)} bits per byte (${found.tokens} tokens, ${bytes} bytes)`,
      );
      device.destroy();
    });
}
