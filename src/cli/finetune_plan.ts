/**
 * `--dry-run` of a fine-tuning: what a step over sequences of full length takes.
 *
 * @module
 */
import { type Device, openDevice } from "../gpu/device.ts";
import { ghostOf } from "../gpu/ghost.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import type { TrainSettings } from "../training/loop.ts";
import type { Task } from "../training/task.ts";
import { tellPlan, variedIds } from "./dry_run.ts";
import type { PartFlags, TrainedPart } from "./trained_part.ts";

/** A fine-tuning that has its model, and has touched no file. */
export interface Planned<B> {
  /** Sizes of the model. */
  config: { layers: number; channels: number; heads: number; vocabularySize: number };
  /** What of it is trained. */
  part: TrainedPart;
  /** Model and objective. */
  task: Task<B>;
  /** Rates and rhythm. */
  settings: TrainSettings;
  /** T at most. */
  sequence: number;
  /** A batch of these sequences, with something asked wherever something may be. */
  batchOf: (sequences: Uint32Array[]) => B;
}

/** Prints what a step takes of the model that `begin` makes, on a device that holds nothing. */
export async function planFinetune<B>(
  { batch, memory, time }: PartFlags & { batch: number },
  begin: (device: Device) => Planned<B>,
): Promise<void> {
  const device = await openDevice();
  try {
    const { config, part, settings, sequence } = begin(ghostOf(device, { unlimited: true }));
    const { layers, channels, heads, vocabularySize } = config;
    const sizes = `${layers} layers, C ${channels}, ${heads} heads, V ${vocabularySize}`;
    await tellPlan({
      title: `${part.family === "bert" ? "BERT" : "GPT"}: ${sizes}${part.method}`,
      batch,
      sequence,
      memory,
      time,
      settings,
      build: (ghost, count) => {
        const { task, part, sequence, batchOf, config } = begin(ghost);
        const ids = variedIds(sequence, config.vocabularySize);
        const sequences = Array.from({ length: count }, () => ids);
        return {
          task: part.task(task),
          batch: batchOf(sequences),
          parameters: part.parameterCount,
        };
      },
    }, device);
  } finally {
    device.destroy();
  }
}

/** What a model asks of its tokenizer. */
export type TokenizerSizes = Pick<Tokenizer, "vocabularySize" | "endOfText" | "tokenToId">;

/** That of a directory; without one the largest that a run from scratch may learn from its texts. */
export async function plannedTokenizer(
  directory: string | undefined,
  vocabularySize: number,
): Promise<TokenizerSizes> {
  if (directory !== undefined) return await loadTokenizer(directory);
  return { vocabularySize, endOfText: undefined, tokenToId: () => undefined };
}
