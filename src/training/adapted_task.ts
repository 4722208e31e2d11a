/**
 * Training an adapter in place of a model's weights.
 *
 * @module
 */
import { type LoraAdapter, saveAdapter } from "../models/adapters.ts";
import type { Task } from "./task.ts";

/**
 * The same task, of which only the adapter is trained, saved and kept in checkpoints.
 *
 * @param options.base the model that the adapter is for, and `taskType`, PEFT's word for its use
 * @param options.describe writes what else the directory should say, such as the labels of a head
 */
export function adapted<B>(
  task: Task<B>,
  adapter: LoraAdapter,
  options: { base?: string; taskType?: string; describe?: (directory: string) => void } = {},
): Task<B> {
  const { describe, ...about } = options;
  return {
    ...task,
    parameters: adapter.parameters,
    async save(directory) {
      await saveAdapter(adapter, directory, about);
      describe?.(directory);
    },
  };
}
