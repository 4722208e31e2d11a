/**
 * `vitrail evaluate`: how well a model predicts a text.
 *
 * @module
 */
import type { Command } from "commander";
import { openDevice } from "../gpu/device.ts";
import { loadGpt } from "../models/files.ts";
import { checkModelFiles } from "./model_files.ts";
import { whole } from "./numbers.ts";
import { encodeText, evaluateText } from "./perplexity.ts";
import { groupOption, packingFlags, weightsOption } from "./weight_flags.ts";

/** Adds the command to the program. */
export function addEvaluate(program: Command): void {
  program.command("evaluate")
    .description("loss, perplexity and bits per byte of a text")
    .requiredOption("--model <directory>", "the model")
    .requiredOption("--data <source>", "text file, folder, .jsonl, - or a corpus name")
    .option("--batch <n>", "sequences at once", whole(1), 8)
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .addOption(weightsOption())
    .addOption(groupOption())
    .option("--json", "print one JSON object", false)
    .action(async (flags) => {
      const packing = packingFlags(flags);
      const config = checkModelFiles(flags.model, flags);
      const text = await encodeText(flags.data, { ...flags, config });
      const device = await openDevice();
      const model = loadGpt(device, flags.model, packing);
      const found = await evaluateText(model, text, flags);
      console.log(
        flags.json
          ? JSON.stringify(found)
          : `loss ${found.loss.toFixed(4)} nats a token, perplexity ${
            found.perplexity.toFixed(2)
          }, ` +
            `${
              found.bitsPerByte.toFixed(4)
            } bits per byte (${found.tokens} tokens, ${found.bytes} bytes)`,
      );
      device.destroy();
    });
}
