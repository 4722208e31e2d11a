/**
 * The model of a command, which an adapter's directory may name.
 *
 * @module
 */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { checkedModel } from "../models/adapted_models.ts";

/**
 * Completes `--model` and `--adapter` of a command that has both: `--adapter` alone, or a `--model` that
 * holds an adapter, finds the model that the adapter was trained on. What is wrong with their configurations
 * is reported before anything else is looked at.
 *
 * @throws {CommanderError} if neither is given
 * @throws {VitrailError} if the adapter names no model that is there, or the model cannot be used
 */
export function resolveModel(command: Command): void {
  if (!["--model", "--adapter"].every((flag) => command.options.some((o) => o.long === flag))) {
    return;
  }
  const { model, adapter } = command.opts<{ model?: string; adapter?: string }>();
  if (model === undefined && adapter === undefined) {
    command.error("error: required option '--model <directory>' not specified", {
      code: "commander.missingMandatoryOptionValue",
    });
  }
  // A directory that is not there is left to the command, which first looks at what else it was given.
  if (adapter === undefined && !existsSync(model!)) return;
  for (const [name, value] of Object.entries(checkedModel({ model, adapter }))) {
    command.setOptionValue(name, value);
  }
}
