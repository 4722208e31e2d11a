/**
 * `vitrail demo`: from nothing to a model that writes.
 *
 * @module
 */
import type { Command } from "commander";
import { createGptConfig } from "../formats/gpt_config.ts";
import { openDevice } from "../gpu/device.ts";
import { generate } from "../generation/generate.ts";
import { loadGpt } from "../models/files.ts";
import { Gpt } from "../models/gpt.ts";
import { loadTokenizer } from "../tokenizers/tokenizer.ts";
import { languageModelling } from "../training/task.ts";
import { completeRun } from "../training/run_record.ts";
import { Trainer } from "../training/trainer.ts";
import { print } from "./printer.ts";
import { runTrain } from "./train_command.ts";
import { real, whole } from "./numbers.ts";
import { PRESETS } from "./presets.ts";
import { addOverwriteFlag, MODEL_DIRECTORY, refuseToReplace } from "./output.ts";
import { addTuneFlag } from "./tuning.ts";

const PRESET = PRESETS.pico;
const VOCABULARY = 512;
/** Part of the time that steps may take: evaluations, samples and checkpoints need theirs. */
const SHARE_OF_STEPS = 0.85;
/** Fewer teach nothing; more would go over the same book once too often. */
const [FEWEST, MOST] = [100, 4000];
const PROMPTS = ["The whale", "Captain Ahab", "I was"];

/** Values of the flags. */
interface DemoFlags {
  out: string;
  minutes: number;
  steps?: number;
  tune: boolean;
  overwrite: boolean;
}

/** Adds the command to the program. */
export function addDemo(program: Command): void {
  addOverwriteFlag(addTuneFlag(program.command("demo")))
    .description("download Moby-Dick, train a small GPT on it, and show what it writes")
    .option("--out <directory>", "where the model goes", "runs/demo")
    .option("--minutes <x>", "how long to train, about", real(0), 2.75)
    .option("--steps <n>", "updates, in place of --minutes", whole(1))
    .action(async (flags: DemoFlags) => {
      const { out, overwrite } = flags;
      // Before the machine is measured, which takes a while.
      refuseToReplace(MODEL_DIRECTORY.map((name) => `${out}/${name}`), { overwrite });
      const result = await runTrain({
        data: "moby-dick",
        out,
        tune: flags.tune,
        overwrite,
        steps: flags.steps ?? await stepsWithin(flags.minutes * 60),
        preset: "pico",
        schedule: "cosine",
        weightDecay: 0.1,
        clip: 1,
        precision: "f32",
        accumulation: 1,
        dropout: 0,
        positions: "learned",
        tokenizer: "bpe",
        vocabulary: VOCABULARY,
        validationFraction: 0.1,
        evaluateBatches: 8,
        patience: 0,
        samples: 40,
        checkpointing: false,
        textField: "text",
        seed: 0,
      });
      if (result.reason === "interrupted") return;
      completeRun(out);
      await showSamples(flags.out);
      print(`
Try next:
  ./vitrail generate --model ${flags.out} --prompt "The sea" --max-new-tokens 50
  ./vitrail evaluate --model ${flags.out} --data state-of-the-union
  ./vitrail train --data YOUR.txt --out runs/mine --steps 1000
and open ${flags.out}/report.html`);
    });
}

/** How many steps of the demo's model this machine makes in so many seconds. */
async function stepsWithin(seconds: number): Promise<number> {
  const device = await openDevice();
  const { sequence, batch, channels, layers, heads } = PRESET;
  const size = { vocabularySize: VOCABULARY, contextLength: sequence, channels, layers, heads };
  const trainer = new Trainer(
    languageModelling(new Gpt(device, createGptConfig(size)), sequence),
  );
  const targets = Int32Array.from({ length: batch * sequence }, (_, i) => i * 31 % VOCABULARY);
  const some = { inputs: Uint32Array.from(targets), targets };
  const time = async (steps: number): Promise<number> => {
    const begun = performance.now();
    for (let step = 0; step < steps; step++) trainer.step([some], 1e-3);
    await device.finish();
    return (performance.now() - begun) / 1000 / steps;
  };
  await time(2); // compiles the shaders
  const step = await time(10);
  device.destroy();
  return Math.round(Math.min(MOST, Math.max(FEWEST, SHARE_OF_STEPS * seconds / step)));
}

/** What the model makes of a few beginnings. */
async function showSamples(directory: string): Promise<void> {
  const device = await openDevice();
  const model = loadGpt(device, directory);
  const tokenizer = await loadTokenizer(directory);
  print("\nWhat it writes:");
  for (const prompt of PROMPTS) {
    const ids = tokenizer.encode(prompt);
    const maxNewTokens = model.config.contextLength - ids.length;
    const [more] = await generate(model, ids, { maxNewTokens, temperature: 0.6, topK: 40 });
    const text = (prompt + tokenizer.decode(more)).replace(/\s+/g, " ").trim();
    print(`  ${text} …`);
  }
  device.destroy();
}
