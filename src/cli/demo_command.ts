/**
 * `vitrail demo`: from nothing to a model that writes.
 *
 * @module
 */
import type { Command } from "commander";
import { runTrain } from "./train_command.ts";
import { whole } from "./numbers.ts";

/** Adds the command to the program. */
export function addDemo(program: Command): void {
  program.command("demo")
    .description("download Moby-Dick, train a small GPT on it, and show what it writes")
    .option("--out <directory>", "where the model goes", "runs/demo")
    .option("--steps <n>", "updates", whole(1), 350)
    .action(async (flags) => {
      await runTrain({
        data: "moby-dick",
        out: flags.out,
        steps: flags.steps,
        preset: "pico",
        schedule: "cosine",
        weightDecay: 0.1,
        clip: 1,
        accumulation: 1,
        dropout: 0,
        positions: "learned",
        tokenizer: "bpe",
        vocabulary: 512,
        validationFraction: 0.1,
        evaluateBatches: 8,
        patience: 0,
        samples: 63,
        checkpointing: false,
        textField: "text",
        seed: 0,
      });
      console.log(`
Try next:
  ./vitrail generate --model ${flags.out} --prompt "The whale" --max-new-tokens 50
  ./vitrail evaluate --model ${flags.out} --data state-of-the-union
  ./vitrail train --data YOUR.txt --out runs/mine --steps 1000
and open ${flags.out}/report.html`);
    });
}
