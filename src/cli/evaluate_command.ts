/**
 * `vitrail evaluate`: how well a model predicts a text.
 *
 * @module
 */
import type { Command } from "commander";
import { sequentialBatches } from "../data/tokens/batches.ts";
import { readDocuments } from "../data/sources/documents.ts";
import { VitrailError } from "../errors.ts";
import { openDevice } from "../gpu/device.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { loadGpt } from "../models/files.ts";
import { languageModelling } from "../training/task.ts";
import { evaluate } from "../training/evaluate.ts";
import { ProgressBar } from "../training/progress.ts";
import { checkModelFiles } from "./model_files.ts";
import { whole } from "./numbers.ts";
import { addTuneFlag, tuneFor } from "./tuning.ts";

/** Adds the command to the program. */
export function addEvaluate(program: Command): void {
  addTuneFlag(program.command("evaluate"))
    .description("loss, perplexity and bits per byte of a text")
    .requiredOption("--model <directory>", "the model")
    .requiredOption("--data <source>", "text file, folder, .jsonl, - or a corpus name")
    .option("--batch <n>", "sequences at once", whole(1), 8)
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--json", "print one JSON object", false)
    .action(async (flags) => {
      const config = checkModelFiles(flags.model);
      const tokenizer = await loadTokenizer(flags.model);
      const { ids, bytes } = await encodeAll(flags.data, { ...flags, tokenizer });
      if (ids.length < 2) {
        throw new VitrailError(
          `Cannot evaluate ${flags.data}: it has ${ids.length} tokens, and the first is only given; ` +
            "wanted at least 2",
        );
      }
      const wrong = ids.find((id) => id >= config.vocabularySize);
      if (wrong !== undefined) {
        throw new VitrailError(
          `Cannot evaluate ${flags.model}: its tokenizer has the id ${wrong}, its config.json a ` +
            `vocabulary of ${config.vocabularySize}; both must belong to one model`,
        );
      }
      const device = await openDevice();
      const model = loadGpt(device, flags.model);
      const sequence = model.config.contextLength;
      const tokens = {
        length: ids.length,
        read: (offset: number, count: number) => ids.subarray(offset, offset + count),
      };
      const bar = new ProgressBar({ total: ids.length - 1, label: "evaluate", unit: "token" });
      const task = languageModelling(model, sequence);
      const batches = () => sequentialBatches(tokens, { batch: flags.batch, sequence });
      await tuneFor(device, async () => {
        for (const first of batches()) return void await evaluate(task, [first]);
      }, flags);
      const found = await evaluate(
        task,
        batches(),
        { onBatch: (done) => bar.update(done, {}) },
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

/** All ids of a source, four bytes each, and the bytes of its text. */
async function encodeAll(
  source: string,
  { tokenizer, textField }: { tokenizer: Tokenizer; textField: string },
): Promise<{ ids: Uint32Array; bytes: number }> {
  let ids = new Uint32Array(1 << 16);
  let [length, bytes] = [0, 0];
  const utf8 = new TextEncoder();
  for await (const { text } of readDocuments(source, { textField })) {
    const fresh = tokenizer.encode(text);
    if (length + fresh.length > ids.length) {
      const larger = new Uint32Array(2 * (length + fresh.length));
      larger.set(ids.subarray(0, length));
      ids = larger;
    }
    ids.set(fresh, length);
    length += fresh.length;
    bytes += utf8.encode(text).length;
  }
  return { ids: ids.subarray(0, length), bytes };
}
