/**
 * The models of a command, which an adapter's directory may name.
 *
 * @module
 */
import { existsSync } from "node:fs";
import type { Command, Option } from "commander";
import { checkedModel } from "../models/adapted_models.ts";

/** Flags for a model, and the flag for its adapter. */
const PAIRS = [
  ["--model", "--adapter"],
  ["--writer", "--adapter"],
  ["--classifier", "--classifier-adapter"],
] as const;

/**
 * Completes each pair of flags that a command has: the adapter's alone, or a model's directory that holds an
 * adapter, finds the model that the adapter was trained on. What is wrong with their configurations is
 * reported before anything else is looked at.
 *
 * @throws {CommanderError} if neither of a pair is given
 * @throws {VitrailError} if the adapter names no model that is there, or the model cannot be used
 */
export function resolveModels(command: Command): void {
  for (const pair of PAIRS) {
    const [model, adapter] = pair.map((flag) => command.options.find((o) => o.long === flag));
    if (model && adapter) resolvePair(command, model, adapter);
  }
}

function resolvePair(command: Command, model: Option, adapter: Option): void {
  const [one, other] = [model, adapter].map((option) => option.attributeName());
  const given = { model: command.getOptionValue(one), adapter: command.getOptionValue(other) };
  if (given.model === undefined && given.adapter === undefined) {
    command.error(`error: required option '${model.flags}' not specified`, {
      code: "commander.missingMandatoryOptionValue",
    });
  }
  // A directory that is not there is left to the command, which first looks at what else it was given.
  if (given.adapter === undefined && !existsSync(given.model)) return;
  const found = checkedModel(given);
  command.setOptionValue(one, found.model);
  command.setOptionValue(other, found.adapter);
}
